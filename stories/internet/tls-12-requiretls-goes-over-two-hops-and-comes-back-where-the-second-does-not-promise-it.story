# REQUIRETLS (RFC 8689) is kept by who forwards: from A through B it reaches C, and where the next server does not promise it the author is told, and
# nothing was sent there. Other mail to the same server goes on.
host a.test: Hearthpost with alice
host b.test: Hearthpost with bob
  alias kept@b.test leads to carol@c.test
  alias lost@b.test leads to x@s.test
host c.test: Hearthpost with carol
host s.test: sink
  offer: PIPELINING STARTTLS 8BITMIME

alice@a.test sends "over two hops" to kept@b.test asking for REQUIRETLS
carol@c.test receives "over two hops" within 60 s
  has: *by mx.c.test with *
  has: *by mx.b.test with *
b.test tells of carol@c.test within 45 s
  has: *REQUIRETLS*
alice@a.test sends "to a broken promise" to lost@b.test asking for REQUIRETLS
alice@a.test gets a report on "to a broken promise" within 60 s
  has: Status: 5.7.30
  has: *You asked that the message go*
s.test takes 0 messages
bob@b.test sends "as any other" to y@s.test
s.test takes 1 message within 45 s
  under TLS
nothing waits at a.test within 45 s
nothing waits at b.test within 45 s
