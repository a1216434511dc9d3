# Two servers are out of reach for a while. Mail to others goes on; afterwards there is no herd.
host a.test: Hearthpost with alice
host b.test: Hearthpost with bob
host s.test: sink
host t.test: sink

a.test is cut off from s.test, b.test
alice@a.test sends 40 messages "into the dark" to s.test
alice@a.test sends "to B" to bob@b.test
alice@a.test sends "elsewhere" to x@t.test
t.test takes 1 message within 45 s
10 s pass

a.test is reconnected
a.test tries everything again
s.test takes 40 messages within 60 s
s.test has taken 40 different messages
s.test has taken no message twice
s.test has had at most 20 connections at a time
bob@b.test receives "to B" within 45 s
nothing waits at a.test within 45 s
