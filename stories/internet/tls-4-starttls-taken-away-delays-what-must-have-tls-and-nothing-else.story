# Somebody in between takes STARTTLS away, answers 454, or breaks the handshake off. Where DNS says that the server has TLS nothing ever goes in
# the clear; TLSA records that cannot be used ask for TLS with any certificate; without records mail goes on as before.
host a.test: Hearthpost with alice
host s.test: sink
  offer: PIPELINING 8BITMIME
host r.test: sink
  starttls: reply 454 4.7.0 TLS not available
host h.test: sink
  tls: abort
host i.test: sink
  offer: PIPELINING 8BITMIME
host j.test: sink
  tls: certificate unknown
host o.test: sink
  offer: PIPELINING 8BITMIME
zone:
  _25._tcp.mx.s.test. TLSA 3 1 1 {key}
  _25._tcp.mx.r.test. TLSA 3 1 1 {key}
  _25._tcp.mx.h.test. TLSA 3 1 1 {key}
  _25._tcp.mx.i.test. TLSA 1 1 1 {key}
  _25._tcp.mx.j.test. TLSA 1 1 1 {key}

alice@a.test sends "stripped" to x@s.test
alice@a.test sends "refused" to x@r.test
alice@a.test sends "broken off" to x@h.test
alice@a.test sends "unusable records, stripped" to x@i.test
alice@a.test sends "unusable records" to x@j.test
alice@a.test sends "opportunistic" to x@o.test
o.test takes 1 message within 45 s
  in the clear
j.test takes 1 message within 45 s
  under TLS
x@s.test waits at a.test within 45 s
  has: *it does not offer STARTTLS. Mail to it needs TLS with a certificate that DNS vouches for*
x@r.test waits at a.test within 45 s
  has: *STARTTLS was answered 454*
x@h.test waits at a.test within 45 s
  has: *TLS handshake (closed)*
x@i.test waits at a.test within 45 s
  has: *Mail to it needs TLS with any certificate: it has TLSA records in DNS, though none that can be used (DANE)*
s.test takes 0 messages
r.test takes 0 messages
h.test takes 0 messages
i.test takes 0 messages

s.test behaves well from now on
a.test tries everything again
s.test takes 1 message within 45 s
  under TLS
