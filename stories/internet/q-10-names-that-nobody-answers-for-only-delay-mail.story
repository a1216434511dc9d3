# No answer is no absence: the message waits, and goes once names can be asked for again.
host a.test: Hearthpost with alice
host s.test: sink

a.test is cut off from the name server
alice@a.test sends "who knows where" to x@s.test
x@s.test waits at a.test within 60 s
  has: *s.test could not be looked up*
a.test is reconnected
a.test tries everything again
s.test takes 1 message within 45 s
nothing waits at a.test within 45 s
alice@a.test has no report about x@s.test
