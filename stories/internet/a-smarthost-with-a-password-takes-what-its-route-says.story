# A route leads one domain's mail through a server that wants a password: a sink, and another Hearthpost.
host a.test, shared.test: Hearthpost with alice, we@shared.test
  mail to guarded.test goes through mx.g.test port 587 as joe
  mail to far.test goes through mx.b.test port 587 as relay@b.test
host b.test, shared.test: Hearthpost with relay
  alias we@shared.test leads to relay@b.test
host g.test: sink on port 587
  offer: PIPELINING STARTTLS AUTH=PLAIN
  credentials: joe correct horse battery
host s.test: sink
zone:
  far.test. MX 10 mx.s.test.

alice@a.test sends "with a password" to x@guarded.test
g.test takes 1 message within 45 s
  under TLS, signed in as joe

# B lets its user send with an address that leads to her, and finds the way on by MX.
we@shared.test sends "through B" to x@far.test
s.test takes 1 message within 45 s
  has: *by mx.b.test with ESMTPSA *
nothing waits at a.test within 45 s
