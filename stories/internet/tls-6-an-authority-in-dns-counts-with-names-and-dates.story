# DANE-TA (RFC 7672 §3.1.2): the authority stands in DNS, and from it the certificate must verify, for the right name and now.
host a.test: Hearthpost with alice
host s.test: sink
host e.test: sink
  tls: certificate expired
host n.test: sink
  tls: certificate wrong-name
host u.test: sink
  tls: certificate unknown
host p.test: Postfix with bob
zone:
  _25._tcp.mx.s.test. TLSA 2 0 1 {authority}
  _25._tcp.mx.e.test. TLSA 2 0 1 {authority}
  _25._tcp.mx.n.test. TLSA 2 0 1 {authority}
  _25._tcp.mx.u.test. TLSA 2 0 1 {authority}
  _25._tcp.mx.p.test. TLSA 2 0 1 {authority}

alice@a.test sends "good" to x@s.test
s.test takes 1 message within 45 s
  under TLS
alice@a.test sends "to Postfix" to bob@p.test
bob@p.test receives "to Postfix" within 45 s
a.test tells of bob@p.test within 45 s
  has: *verified by DNS (DANE)*
alice@a.test sends "expired" to x@e.test
x@e.test waits at a.test within 45 s
  has: *the certificate expired on 2021-01-01*
alice@a.test sends "for another name" to x@n.test
x@n.test waits at a.test within 45 s
  has: *somewhere-else.invalid*
alice@a.test sends "another authority" to x@u.test
x@u.test waits at a.test within 45 s
  has: *the certificate fits none of the TLSA records in DNS*
e.test takes 0 messages
n.test takes 0 messages
u.test takes 0 messages
