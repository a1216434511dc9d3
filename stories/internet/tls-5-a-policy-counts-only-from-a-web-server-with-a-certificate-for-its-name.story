# Whoever can forge DNS can serve a policy, but not with a certificate that verifies for the name: what they say is not believed.
host a.test: Hearthpost with alice
host w.test: sink
host mta-sts.w.test: web server
  certificate wrong-name
  version: STSv1
  mode: enforce
  mx: mx.elsewhere.test
  max_age: 86400
host e.test: sink
host mta-sts.e.test: web server
  certificate expired
  version: STSv1
  mode: enforce
  mx: mx.elsewhere.test
  max_age: 86400
host u.test: sink
host mta-sts.u.test: web server
  certificate unknown
  version: STSv1
  mode: enforce
  mx: mx.elsewhere.test
  max_age: 86400
zone:
  _mta-sts.w.test. TXT "v=STSv1; id=1;"
  _mta-sts.e.test. TXT "v=STSv1; id=1;"
  _mta-sts.u.test. TXT "v=STSv1; id=1;"

alice@a.test sends "to w" to x@w.test
alice@a.test sends "to e" to x@e.test
alice@a.test sends "to u" to x@u.test
w.test takes 1 message within 45 s
e.test takes 1 message within 45 s
u.test takes 1 message within 45 s
a.test reports on w.test
  has: *"sts-webpki-invalid"*
  has: *not for mta-sts.w.test*
a.test reports on e.test
  has: *"sts-webpki-invalid"*
  has: *expired on*
a.test reports on u.test
  has: *"sts-webpki-invalid"*
