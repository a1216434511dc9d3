# Debian's Postfix with smtp_tls_security_level = dane, behind a validating resolver: it verifies our server by its TLSA record, and sends nothing to
# the server whose record is another.
host a.test: Hearthpost with alice
host w.test: sink
host p.test: Postfix with carol
  goes by DANE
zone:
  _25._tcp.mx.a.test. TLSA 3 1 1 {key}
  _25._tcp.mx.w.test. TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
  _25._tcp.mx.p.test. TLSA 3 1 1 {key}

carol@p.test sends "to a wrong record" to x@w.test
carol@p.test sends "to a right record" to alice@a.test
alice@a.test receives "to a right record" within 45 s
  has: *with ESMTPS *
# Not before: what is told of carol is told of the newest message to or from her.
alice@a.test sends "back" to carol@p.test
carol@p.test receives "back" within 45 s
a.test tells of carol@p.test within 45 s
  has: *verified by DNS (DANE)*
nothing waits at a.test within 45 s
3 s pass
w.test takes 0 messages
