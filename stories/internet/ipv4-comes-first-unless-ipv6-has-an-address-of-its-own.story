# The other side has both. Without a setting nobody promises that IPv6 has a way out and a name in DNS; deliver.source_v6 does.
host a.test: Hearthpost with alice
host b.test at 203.0.113.20, 2001:db8:113::20: Hearthpost with bob
  set deliver.source_v6 = "2001:db8:113::20"
host s.test at 203.0.113.40, 2001:db8:113::40: sink

alice@a.test sends "to both" to x@s.test
s.test takes 1 message within 45 s
  over IPv4, under TLS
bob@b.test sends "to both" to x@s.test
s.test takes 1 message within 45 s
  over IPv6, under TLS
  from 2001:db8:113::20

bob@b.test sends "hello" to alice@a.test
alice@a.test receives "hello" within 45 s
  has: *[IPv6:2001:db8:113::20]*
