# Mail that an old key signed waits while other keys take over: when it arrives, opendkim finds both genuine, and DMARC rests on that alone.
host a.test: Hearthpost with alice
host p.test: Postfix with bob
  checks
  puts bob@p.test off
zone:
  a.test. TXT "v=spf1 -all"
  _dmarc.a.test. TXT "v=DMARC1; p=reject; adkim=s; aspf=s"

a.test publishes its records
alice@a.test sends "by the old key" to bob@p.test
bob@p.test waits at a.test within 45 s
a.test makes other keys
a.test publishes its records
a.test signs with its new keys
alice@a.test sends "by the new key" to bob@p.test
a.test is killed and starts again
p.test puts nobody off any more
a.test tries everything again

bob@p.test receives "by the old key" within 45 s
  has: *dkim=pass*header.d=a.test*
  has: *dmarc=pass*header.from=a.test*
  lacks: *dkim=fail*
bob@p.test receives "by the new key" within 45 s
  has: *dkim=pass*header.d=a.test*
  has: *dmarc=pass*header.from=a.test*
  lacks: *dkim=fail*
