# DANE-EE (RFC 7672 §3.1.1): the key in DNS decides. A certificate that has expired or is for another name will do when its key is the right one;
# one that an authority we trust has issued will not when its key is another. Without TLSA records any certificate will do.
host a.test: Hearthpost with alice
host s.test: sink
  tls: certificate expired
host n.test: sink
  tls: certificate wrong-name
host u.test: sink
  tls: certificate unknown
host w.test: sink
host x.test: sink
  tls: certificate unknown
zone:
  _25._tcp.mx.s.test. TLSA 3 1 1 {key}
  _25._tcp.mx.n.test. TLSA 3 1 1 {key}
  _25._tcp.mx.u.test. TLSA 3 1 1 {key}
  _25._tcp.mx.w.test. TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff

alice@a.test sends "expired" to x@s.test
s.test takes 1 message within 45 s
  under TLS
a.test tells of x@s.test within 45 s
  has: *verified by DNS (DANE)*
alice@a.test sends "for another name" to x@n.test
n.test takes 1 message within 45 s
  under TLS
alice@a.test sends "another key" to x@u.test
x@u.test waits at a.test within 45 s
  has: *the certificate fits none of the TLSA records in DNS*
alice@a.test sends "another record" to x@w.test
x@w.test waits at a.test within 45 s
  has: *no secure connection to mx.w.test*
  has: *its TLSA records in DNS say so (DANE)*
alice@a.test sends "nobody asks" to x@x.test
x.test takes 1 message within 45 s
  under TLS
u.test takes 0 messages
w.test takes 0 messages

u.test behaves well from now on
a.test tries everything again
u.test takes 1 message within 45 s
  under TLS
w.test takes 0 messages
