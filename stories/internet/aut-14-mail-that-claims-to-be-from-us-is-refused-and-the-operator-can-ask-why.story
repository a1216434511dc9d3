# Somebody outside writes as a person of ours, without and with an envelope of its own. No DMARC record is needed for that, and none is
# there. What the operator reads afterwards has the reason and what it rests on.
host a.test: Hearthpost with alice, bob
  set smtp.authenticity = "enforce"
host s.test: sink
zone:
  s.test. TXT "v=spf1 mx -all"

s.test gives "money" from alice@a.test to bob@a.test: it is refused
  answer: 550 5.7.1 Not taken: a.test is a domain of ours, and nothing shows that the message comes from us. Sign in and submit it, *
s.test gives "money again" from robot@s.test to bob@a.test: it is refused
  From: Alice <alice@a.test>
  answer: 550 5.7.1 Not taken: a.test is a domain of ours*
s.test gives "two authors" from robot@s.test to bob@a.test: it is refused
  From: robot@s.test, alice@a.test
  answer: 550 5.7.1 Not taken: the message names several authors*

# What s.test says of itself is taken, and Alice's own mail needs no proof.
s.test gives "news" from robot@s.test to bob@a.test: it is taken
bob@a.test receives "news" within 45 s
  has: *spf=pass smtp.mailfrom=s.test*
  has: *dmarc=none header.from=s.test*
alice@a.test sends "from me" to bob@a.test
bob@a.test receives "from me" within 45 s

a.test tells of alice@a.test
  has: *
s.test gives "last" from alice@a.test to bob@a.test: it is refused
a.test tells of bob@a.test within 45 s
  has: *receive.examined*it is refused, because a.test is a domain of ours*evidence="SPF: *
  has: *receive.message-refused*550 Not taken: a.test is a domain of ours*
