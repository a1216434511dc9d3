# Without DNS nobody knows whom a message is from. It is not refused, and not taken either: the sender tries again, and then it is taken.
host a.test: Hearthpost with alice
  set smtp.authenticity = "enforce"
host p.test: Postfix with bob
  signs
host s.test: sink
zone:
  p.test. TXT "v=spf1 mx -all"
  _dmarc.p.test. TXT "v=DMARC1; p=reject"
  s.test. TXT "v=spf1 mx -all"

a.test is cut off from the name server
s.test gives "now?" from x@s.test to alice@a.test: it is put off
  answer: 451 4.4.3 Not now: DNS did not answer, so it cannot be decided now. Try again later
bob@p.test sends "patient" to alice@a.test
5 s pass
a.test is reconnected
alice@a.test receives "patient" within 90 s
  has: *dmarc=pass (p=reject) header.from=p.test*
