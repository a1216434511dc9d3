# RFC 5321 §4.1.3: no name is asked for; the connection goes to the address itself.
host a.test: Hearthpost with alice
host s.test at 203.0.113.40, 2001:db8:113::40: sink
host b.test at 203.0.113.20, 2001:db8:113::20: Hearthpost with bob

alice@a.test sends "to an IPv4 address" to x@[203.0.113.40]
s.test takes 1 message within 45 s
  over IPv4, under TLS
alice@a.test sends "to an IPv6 address" to x@[IPv6:2001:db8:113::40]
s.test takes 1 message within 45 s
  over IPv6, under TLS
alice@a.test sends "to nobody's address" to x@[IPv6:fd00::1]
alice@a.test gets a report that x@[IPv6:fd00::1] failed within 45 s
  has: Status: 5.4.4

# A Hearthpost does not take its address for a domain of its own.
alice@a.test sends "to a Hearthpost's address" to bob@[IPv6:2001:db8:113::20]
alice@a.test gets a report that bob@[IPv6:2001:db8:113::20] failed within 45 s
nothing waits at a.test within 45 s
