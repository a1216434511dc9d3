# What users submit here is signed with both keys, and Debian's opendkim and opendmarc call it genuine; what Postfix signs is genuine here.
host a.test: Hearthpost with alice
  signs
  set smtp.authenticity = "enforce"
host p.test: Postfix with bob
  checks
  signs
zone:
  a.test. TXT "v=spf1 mx -all"
  _dmarc.a.test. TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
  p.test. TXT "v=spf1 mx -all"
  _dmarc.p.test. TXT "v=DMARC1; p=reject"

alice@a.test sends "from ours" to bob@p.test
bob@p.test receives "from ours" within 45 s
  has: Authentication-Results: mx.p.test*
  has: *dkim=pass*header.d=a.test*
  has: *dmarc=pass*header.from=a.test*
  has: *spf=pass*smtp.mailfrom=a.test*
  lacks: *fail*

bob@p.test sends "from theirs" to alice@a.test
alice@a.test receives "from theirs" within 45 s
  has: Authentication-Results: mx.a.test*
  has: *dkim=pass*header.d=p.test*
  has: *dmarc=pass*header.from=p.test*
  has: *spf=pass*smtp.mailfrom=p.test*
