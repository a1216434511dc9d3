# REQUIRETLS (RFC 8689): between two Hearthposts it goes all the way; a server that does not promise it, or whose certificate is bad, never gets the
# message, and the sender is told at once.
host a.test: Hearthpost with alice
host b.test: Hearthpost with bob
host s.test: sink
host n.test: sink
  tls: certificate wrong-name

alice@a.test sends "all the way" to bob@b.test asking for REQUIRETLS
bob@b.test receives "all the way" within 45 s
alice@a.test sends "not promised" to x@s.test asking for REQUIRETLS
alice@a.test gets a report that x@s.test failed within 45 s
  has: Status: 5.7.30
  has: *all the way*
alice@a.test sends "bad certificate" to x@n.test asking for REQUIRETLS
alice@a.test gets a report that x@n.test failed within 45 s
  has: Status: 5.7.10
s.test takes 0 messages
n.test takes 0 messages
alice@a.test sends "to the same server" to y@s.test
s.test takes 1 message within 45 s
nothing waits at a.test within 45 s
