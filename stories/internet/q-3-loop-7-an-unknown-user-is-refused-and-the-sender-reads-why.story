# A refusal comes back once, in plain words, with the original's header and without anything of our own files.
host a.test: Hearthpost with alice
host b.test: Hearthpost with bob
host p.test: Postfix with carol

alice@a.test sends "unknown at Hearthpost" to nobody@b.test
alice@a.test gets a report that nobody@b.test failed within 45 s
  has: Status: 5.1.1
  has: Auto-Submitted: auto-replied
  has: Subject: unknown at Hearthpost
  lacks: */data*
alice@a.test sends "unknown at Postfix" to nobody@p.test
alice@a.test gets a report that nobody@p.test failed within 45 s
  has: Status: 5.1.1
  has: Auto-Submitted: auto-replied
  has: Subject: unknown at Postfix
  lacks: */data*
nothing waits at a.test within 45 s

# The other way round Postfix makes the bounce: for us the refusal is all there is.
carol@p.test sends "unknown from Postfix" to nobody@a.test
carol@p.test receives "Undelivered Mail Returned to Sender" within 45 s
  has: *nobody@a.test*
