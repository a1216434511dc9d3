# An address here leads to another server. Its copy goes under a return address of ours, which SPF vouches for; the author's signature is
# still whole, so DMARC passes at the next server. We do not sign what strangers wrote, not even in our own name; what nobody
# vouches for and its domain disowns does not leave here at all.
host a.test: Hearthpost with alice
  signs
  set smtp.authenticity = "enforce"
  alias away@a.test leads to bob@p.test
  alias both@a.test leads to alice@a.test, bob@p.test
host p.test: Postfix with bob
  checks
host q.test: Postfix with carol
  signs
host s.test: sink
zone:
  a.test. TXT "v=spf1 mx -all"
  _dmarc.a.test. TXT "v=DMARC1; p=reject"
  q.test. TXT "v=spf1 mx -all"
  _dmarc.q.test. TXT "v=DMARC1; p=reject"
  s.test. TXT "v=spf1 mx -all"
  careful.test. TXT "v=spf1 -all"
  _dmarc.careful.test. TXT "v=DMARC1; p=quarantine"

carol@q.test sends "forwarded" to away@a.test
bob@p.test receives "forwarded" within 45 s
  has: Return-Path: <SRS0=*@a.test>
  has: *spf=pass*smtp.mailfrom=a.test*
  has: *dkim=pass*header.d=q.test*
  has: *dmarc=pass*header.from=q.test*
  lacks: DKIM-Signature: *d=a.test*
  lacks: *; d=a.test*

# In our own name, from outside: refused, so nothing of it can be signed or sent.
s.test gives "forged as ours" from alice@a.test to away@a.test: it is refused
  answer: 550 5.7.1 Not taken: a.test is a domain of ours*
s.test gives "disowned" from x@s.test to away@a.test: it is refused
  From: boss@careful.test
  answer: 550 5.7.1 Not taken: nobody vouches for careful.test*and it would be forwarded*

# An address that reaches somebody here too: that copy is kept, in Junk. SPF vouches for the envelope, so a report about the other one
# reaches who sent it; and only then is it made.
s.test gives "disowned for two" from x@s.test to both@a.test: it is taken
  From: boss@careful.test
alice@a.test receives "disowned for two" in Junk within 45 s
s.test takes 1 message within 100 s
  has: Action: failed
  has: *not forwarded: nobody vouches for careful.test*
s.test gives "disowned with a borrowed envelope" from boss@careful.test to both@a.test: it is refused
  From: boss@careful.test
nothing waits at a.test within 30 s
