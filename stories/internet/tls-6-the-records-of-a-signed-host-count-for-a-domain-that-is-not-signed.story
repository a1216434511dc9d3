# DANE with MX records that nobody signs (RFC 7672 §2.2.1): hosted.test has no DNSSEC, its provider's hosts have. A host whose key is the right one gets
# the mail, one with another key does not, nor in the clear; the timeline says what was not proven. A policy that names another host is not satisfied by
# a host with records of its own.
host a.test: Hearthpost with alice
host s.test: sink
host w.test: sink
host t.test: sink
  offer: PIPELINING 8BITMIME
host mta-sts.forged.test: web server
  version: STSv1
  mode: enforce
  mx: mx.right.test
  max_age: 86400
zone:
  _25._tcp.mx.s.test. TLSA 3 1 1 {key}
  _25._tcp.mx.w.test. TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
  _25._tcp.mx.t.test. TLSA 3 1 1 {key}
unsigned zone hosted.test:
  hosted.test. MX 10 mx.s.test.
  wrong.hosted.test. MX 10 mx.w.test.
  stripped.hosted.test. MX 10 mx.t.test.
unsigned zone forged.test:
  forged.test. MX 10 mx.s.test.
  _mta-sts.forged.test. TXT "v=STSv1; id=1;"
  mta-sts.forged.test. A 203.0.113.104

alice@a.test sends "to the right host" to x@hosted.test
s.test takes 1 message within 45 s
  under TLS
a.test tells of x@hosted.test within 45 s
  has: *mx.s.test*verified by DNS (DANE)*
  has: *that it is the domain's host is not proven: the MX records are not signed*
alice@a.test sends "to another key" to x@wrong.hosted.test
x@wrong.hosted.test waits at a.test within 45 s
  has: *the certificate fits none of the TLSA records in DNS*
  has: *the MX records are not signed*
alice@a.test sends "stripped" to x@stripped.hosted.test
x@stripped.hosted.test waits at a.test within 45 s
  has: *it does not offer STARTTLS*
alice@a.test sends "to whom a policy does not name" to x@forged.test
x@forged.test waits at a.test within 45 s
  has: *does not name this host in its policy (MTA-STS)*
s.test takes 0 messages
w.test takes 0 messages
t.test takes 0 messages
