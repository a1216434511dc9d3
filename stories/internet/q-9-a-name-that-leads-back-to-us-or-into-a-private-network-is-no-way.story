# Other people's names lead to our own door, in either family, or to machines that only we can reach. Nobody is connected to.
host a.test at 203.0.113.10, 2001:db8:113::10: Hearthpost with alice
zone:
  four.test.      MX 10 mx.four.test.
  mx.four.test.   A 203.0.113.10
  six.test.       MX 10 mx.six.test.
  mx.six.test.    AAAA 2001:db8:113::10
  inner.test.     MX 10 mx.inner.test.
  mx.inner.test.  AAAA ::1
  unique.test.    MX 10 mx.unique.test.
  mx.unique.test. AAAA fd00::1
  mapped.test.    MX 10 mx.mapped.test.
  mx.mapped.test. AAAA ::ffff:127.0.0.1
  nat.test.       MX 10 mx.nat.test.
  mx.nat.test.    AAAA 64:ff9b::127.0.0.1

alice@a.test sends "to ourselves over IPv4" to x@four.test
alice@a.test gets a report that x@four.test failed within 45 s
  has: Status: 5.4.6
alice@a.test sends "to ourselves over IPv6" to x@six.test
alice@a.test gets a report that x@six.test failed within 45 s
  has: Status: 5.4.6
alice@a.test sends "to this machine" to x@inner.test
alice@a.test gets a report that x@inner.test failed within 45 s
  has: Status: 5.4.4
alice@a.test sends "to a private network" to x@unique.test
alice@a.test gets a report that x@unique.test failed within 45 s
  has: Status: 5.4.4
alice@a.test sends "to this machine, in IPv6 clothes" to x@mapped.test
alice@a.test gets a report that x@mapped.test failed within 45 s
  has: Status: 5.4.4
alice@a.test sends "to this machine, by translation" to x@nat.test
alice@a.test gets a report that x@nat.test failed within 45 s
  has: Status: 5.4.4
nothing waits at a.test within 45 s
