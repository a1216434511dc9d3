# B is away, then A is: what waits is there when they are back, over either family.
host a.test at 203.0.113.10, 2001:db8:113::10: Hearthpost with alice
  set deliver.source_v6 = "2001:db8:113::10"
host b.test at 203.0.113.20, 2001:db8:113::20: Hearthpost with bob

b.test is stopped
alice@a.test sends "is anybody there" to bob@b.test
bob@b.test waits at a.test within 45 s
  has: *nobody listens there*
a.test is stopped
b.test starts again
a.test starts again
a.test tries everything again
bob@b.test receives "is anybody there" within 45 s
  has: *[IPv6:2001:db8:113::10]*
alice@a.test has no report about bob@b.test
nothing waits at a.test within 45 s
