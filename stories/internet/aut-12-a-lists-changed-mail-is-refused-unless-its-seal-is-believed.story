# A mailing list adds a footer: the author's signature breaks, and SPF vouches for the list alone. The author's domain wants such mail
# refused, so it is; from a list whose ARC seals the operator believes it is taken. A seal that nobody named counts for nothing.
host a.test: Hearthpost with alice
  set smtp.authenticity = "enforce"
  set smtp.arc_sealers = ["known.test"]
host p.test: Postfix with bob
  signs
host known.test: sink
  signs
host other.test: sink
  signs
zone:
  p.test. TXT "v=spf1 mx -all"
  _dmarc.p.test. TXT "v=DMARC1; p=reject"
  known.test. TXT "v=spf1 mx -all"
  other.test. TXT "v=spf1 mx -all"

bob@p.test sends "to the lists" to list@known.test, list@other.test
known.test takes 1 message within 30 s
  has: DKIM-Signature: *
other.test takes 1 message within 30 s

# As it came it passes: the signature is whole.
known.test passes "to the lists" on from bounces@known.test to alice@a.test: it is taken
alice@a.test receives "to the lists" within 45 s
  has: *dkim=pass header.d=p.test*

known.test passes "to the lists" on from bounces@known.test to alice@a.test: it is refused
  adds: -- the list
  answer: 550 5.7.1 Not taken: nobody vouches for p.test, and it wants for such mail: reject*
other.test passes "to the lists" on from bounces@other.test to alice@a.test: it is refused
  adds: -- the list
  seals: dkim=pass header.d=p.test; dmarc=pass header.from=p.test
  answer: 550 5.7.1 Not taken: nobody vouches for p.test*
a.test tells of bounces@other.test within 45 s
  has: *ARC: the ARC chain is whole; other.test sealed it and says that the author was vouched for*
known.test passes "to the lists" on from sealed@known.test to alice@a.test: it is taken
  adds: -- the list
  seals: dkim=pass header.d=p.test; dmarc=pass header.from=p.test
a.test tells of sealed@known.test within 45 s
  has: *receive.examined*it is taken, because known.test, whose seals are believed here, vouched for the author*
