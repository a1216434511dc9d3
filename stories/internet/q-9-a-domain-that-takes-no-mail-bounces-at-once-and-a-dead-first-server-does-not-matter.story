# The null MX (RFC 7505), a domain that does not exist, a server with an address of no Internet; and a second MX.
host a.test: Hearthpost with alice
host s.test: sink
zone:
  null.test.       MX 0 .
  private.test.    MX 10 mx.private.test.
  mx.private.test. A 127.0.0.1
  mx.private.test. AAAA fd00::1
  two.test.        MX 5 mx.dead.test.
  two.test.        MX 10 mx.s.test.
  mx.dead.test.    A 203.0.113.99

alice@a.test sends "to nobody" to x@null.test
alice@a.test gets a report that x@null.test failed within 45 s
  has: Status: 5.1.10
alice@a.test sends "to nowhere" to x@no-such-domain.test
alice@a.test gets a report that x@no-such-domain.test failed within 45 s
  has: Status: 5.1.2
alice@a.test sends "to a private network" to x@private.test
alice@a.test gets a report that x@private.test failed within 45 s
  has: Status: 5.
alice@a.test sends "to the second server" to x@two.test
s.test takes 1 message within 45 s
