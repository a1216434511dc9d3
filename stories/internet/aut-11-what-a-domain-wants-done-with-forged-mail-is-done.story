# Three domains say what shall happen with mail that nobody vouches for: refuse it, keep it apart, nothing. The one that is kept apart is
# in Junk, and whoever asks later is told why.
host a.test: Hearthpost with alice
  set smtp.authenticity = "enforce"
host s.test: sink
zone:
  s.test. TXT "v=spf1 mx -all"
  strict.test. TXT "v=spf1 -all"
  _dmarc.strict.test. TXT "v=DMARC1; p=reject"
  careful.test. TXT "v=spf1 -all"
  _dmarc.careful.test. TXT "v=DMARC1; p=quarantine"
  watching.test. TXT "v=spf1 -all"
  _dmarc.watching.test. TXT "v=DMARC1; p=none"

s.test gives "strict" from x@s.test to alice@a.test: it is refused
  From: boss@strict.test
  answer: 550 5.7.1 Not taken: nobody vouches for strict.test, and it wants for such mail: reject. Send it through a server *
s.test gives "careful" from x@s.test to alice@a.test: it is taken
  From: boss@careful.test
s.test gives "watching" from x@s.test to alice@a.test: it is taken
  From: boss@watching.test

alice@a.test receives "careful" in Junk within 45 s
  has: *dmarc=fail (p=quarantine) header.from=careful.test*
alice@a.test receives "watching" within 45 s
  has: *dmarc=fail (p=none) header.from=watching.test*

s.test gives "careful again" from y@s.test to alice@a.test: it is taken
  From: boss@careful.test
a.test tells of y@s.test within 45 s
  has: *receive.examined*its copies go to Junk, because nobody vouches for careful.test, and it wants for such mail: quarantine*
