# Mail waits for a server that is down. Meanwhile the operator requires TLS of its domain and has the settings read again: when the server comes
# back without TLS, what waited is held to the new word; it goes when there is TLS.
host a.test: Hearthpost with alice
host s.test: sink
  connect: refuse

alice@a.test sends "before" to x@s.test
x@s.test waits at a.test within 45 s
a.test reloads with mandatory_tls.domains = ["s.test"]
s.test from now on: offer: PIPELINING 8BITMIME
a.test tries everything again
x@s.test waits at a.test within 45 s
  has: *on this server's list of domains that must have TLS*
alice@a.test sends "after" to y@s.test
y@s.test waits at a.test within 45 s
s.test takes 0 messages
s.test behaves well from now on
a.test tries everything again
s.test takes 2 messages within 45 s
  under TLS
nothing waits at a.test within 45 s
