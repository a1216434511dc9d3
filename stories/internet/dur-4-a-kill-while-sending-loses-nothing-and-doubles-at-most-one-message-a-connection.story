# The kill comes when a few messages of many are out. What the other side took and we could not write down comes again.
host a.test: Hearthpost with alice
host s.test: sink

3 times:
  s.test from now on: data: reply 451 4.3.0 wait for it
  alice@a.test sends 40 messages "before the kill" to s.test
  s.test behaves well from now on
  a.test tries everything again
  s.test takes at least 5 messages within 45 s
  a.test is killed and starts again

a.test tries everything again
s.test has taken 120 different messages within 45 s
nothing waits at a.test within 45 s
s.test has taken 120 different messages
s.test has taken at most 1 message of a connection twice
