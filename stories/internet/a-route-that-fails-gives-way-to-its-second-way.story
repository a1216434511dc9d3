# Four domains have a route through a server of their own, and MX as the second way. Who may not go the first way goes the second at once;
# who is only put off waits for as many attempts as the route says.
host a.test: Hearthpost with alice
  mail to refused.test goes through mx.r.test port 25, after 5 attempts by MX
  mail to locked.test goes through mx.l.test port 587 as joe, after 5 attempts by MX
  mail to dead.test goes through mx.d.test port 25, after 5 attempts by MX
  mail to slow.test goes through mx.g.test port 25, after 2 attempts by MX
host r.test: sink
  banner: reply 554 5.7.1 mx.a.test is on our list
host l.test: sink on port 587
  offer: PIPELINING STARTTLS AUTH=PLAIN
  credentials: joe another password
host d.test: sink
  connect: refuse
host g.test: sink
  rcpt: reply 450 4.2.0 not now
host s.test: sink
zone:
  refused.test. MX 10 mx.s.test.
  locked.test. MX 10 mx.s.test.
  dead.test. MX 10 mx.s.test.
  slow.test. MX 10 mx.s.test.

alice@a.test sends "not from you" to x@refused.test
s.test takes 1 message within 45 s
  has: Subject: not from you
a.test tells of x@refused.test within 45 s
  has: *554 5.7.1 mx.a.test is on our list*
  has: *x@refused.test: delivered*

alice@a.test sends "no password" to x@locked.test
s.test takes 1 message within 45 s
  has: Subject: no password
a.test tells of x@locked.test within 45 s
  has: *535*
  has: *x@locked.test: delivered*

alice@a.test sends "nobody there" to x@dead.test
s.test takes 1 message within 45 s
  has: Subject: nobody there
a.test tells of x@dead.test within 45 s
  has: *x@dead.test: later 4.4.1 *nobody listens there*
  has: *x@dead.test: delivered*

# Two attempts, 2 s apart, then the other way. What a server says of a recipient is not of us, so it is not taken at once.
alice@a.test sends "another day" to x@slow.test
s.test takes 1 message, 2 to 40 s after sending
  has: Subject: another day
a.test tells of x@slow.test within 45 s
  has: *x@slow.test: later *450 4.2.0 not now*
  has: *x@slow.test: delivered*
g.test takes 0 messages
nothing waits at a.test within 45 s
