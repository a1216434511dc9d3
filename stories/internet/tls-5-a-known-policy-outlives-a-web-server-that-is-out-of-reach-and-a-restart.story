# Whoever blocks the web server and takes STARTTLS away gains nothing: the policy that was fetched counts until its age is over.
host a.test: Hearthpost with alice
host s.test: sink
host mta-sts.s.test: web server
  version: STSv1
  mode: enforce
  mx: mx.s.test
  max_age: 86400
zone:
  _mta-sts.s.test. TXT "v=STSv1; id=1;"

alice@a.test sends "first" to x@s.test
s.test takes 1 message within 45 s
  under TLS
8 s pass
a.test is killed and starts again
a.test is cut off from mta-sts.s.test
s.test from now on: starttls: reply 454 4.7.0 not now
alice@a.test sends "second" to x@s.test
a.test tells of x@s.test within 30 s
  has: *STARTTLS*
  has: *MTA-STS*
10 s pass
s.test has taken 1 different messages
x@s.test waits at a.test
s.test behaves well from now on
a.test tries everything again
s.test takes 1 message within 45 s
  under TLS
