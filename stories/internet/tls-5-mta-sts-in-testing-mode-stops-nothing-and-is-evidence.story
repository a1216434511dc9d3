# A policy in mode testing: mail goes as it would have, and what would have failed is on record.
host a.test: Hearthpost with alice
host s.test: sink
  tls: certificate unknown
host mta-sts.s.test: web server
  version: STSv1
  mode: testing
  mx: mx.s.test
  max_age: 86400
host unannounced.test: sink
host mta-sts.unannounced.test: web server
  version: STSv1
  mode: enforce
  mx: mx.elsewhere.test
  max_age: 86400
host broken.test: sink
host mta-sts.broken.test: web server
  This is no policy.
zone:
  _mta-sts.s.test. TXT "v=STSv1; id=1;"
  _mta-sts.broken.test. TXT "v=STSv1; id=1;"

alice@a.test sends "tested" to x@s.test
s.test takes 1 message within 45 s
  under TLS
a.test reports on s.test
  has: *"policy-type": "sts"*
  has: *"mode: testing"*
  has: *"certificate-not-trusted"*
alice@a.test sends "no record" to x@unannounced.test
unannounced.test takes 1 message within 45 s
a.test reports on unannounced.test
  has: *"no-policy-found"*
alice@a.test sends "no policy" to x@broken.test
broken.test takes 1 message within 45 s
a.test reports on broken.test
  has: *"sts-policy-invalid"*
