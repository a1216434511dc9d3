# A route that says nothing of TLS goes by the TLSA records of its server's name, at the port of the route: a certificate that has expired but whose key is
# the right one will do, also for a password; one that verifies with another key will not. Without records the certificate must verify.
host a.test: Hearthpost with alice
  mail to one.test goes through mx.d.test port 587 as joe
  mail to two.test goes through mx.w.test port 587 as joe
  mail to three.test goes through mx.u.test port 587 as joe
host d.test: sink on port 587
  offer: PIPELINING STARTTLS AUTH=PLAIN
  credentials: joe correct horse battery
  tls: certificate expired
host w.test: sink on port 587
  offer: PIPELINING STARTTLS AUTH=PLAIN
  credentials: joe correct horse battery
host u.test: sink on port 587
  offer: PIPELINING STARTTLS AUTH=PLAIN
  credentials: joe correct horse battery
  tls: certificate expired
zone:
  _587._tcp.mx.d.test. TLSA 3 1 1 {key}
  _587._tcp.mx.w.test. TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
  _25._tcp.mx.u.test. TLSA 3 1 1 {key}

alice@a.test sends "by its key" to x@one.test
d.test takes 1 message within 45 s
  under TLS, signed in as joe
a.test tells of x@one.test within 45 s
  has: *verified by DNS (DANE)*
alice@a.test sends "another key" to x@two.test
x@two.test waits at a.test within 45 s
  has: *the certificate fits none of the TLSA records in DNS*(DANE)*
alice@a.test sends "no records at this port" to x@three.test
x@three.test waits at a.test within 45 s
  has: *the certificate expired on*the setting of the route says so*
w.test takes 0 messages
u.test takes 0 messages
