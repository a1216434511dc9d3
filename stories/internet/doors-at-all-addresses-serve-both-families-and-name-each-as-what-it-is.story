# The doors of a server without settings of its own: 0.0.0.0 and [::] beside each other. An IPv4 client is no ::ffff:….
host a.test at 203.0.113.10, 2001:db8:113::10: Hearthpost with alice
  listens everywhere
host b.test at 203.0.113.20: Hearthpost with bob
host s.test: sink
  connect: refuse
host six.test at 2001:db8:113::60: Hearthpost with carol
zone:
  backup.test.   MX 5 mx.s.test.
  backup.test.   MX 10 mx.again.test.
  again.test.    MX 10 mx.again.test.
  mx.again.test. AAAA 2001:db8:113::10

bob@b.test sends "over IPv4" to alice@a.test
carol@six.test sends "over IPv6" to alice@a.test
alice@a.test receives "over IPv4" within 45 s
  has: Received: from mx.b.test ([203.0.113.20])
alice@a.test receives "over IPv6" within 45 s
  has: Received: from mx.six.test ([IPv6:2001:db8:113::60])

# Such doors do not say which addresses are ours. A name that leads back here is known when we meet ourselves.
alice@a.test sends "back to ourselves" to x@again.test
alice@a.test gets a report that x@again.test failed within 45 s
  has: Status: 5.4.6

# Somebody's second server leads back here: that says nothing of the first, which is away for a while.
alice@a.test sends "to the first" to x@backup.test
x@backup.test waits at a.test within 45 s
  has: *mx.s.test cannot be reached*
s.test behaves well from now on
a.test tries everything again
s.test takes 1 message within 45 s
alice@a.test has no report about x@backup.test
nothing waits at a.test within 45 s
