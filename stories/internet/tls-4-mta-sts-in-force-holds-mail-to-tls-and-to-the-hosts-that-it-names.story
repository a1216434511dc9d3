# A policy in mode enforce: mail goes under verified TLS to a host that it names, and to nobody else, before the first message already.
host a.test: Hearthpost with alice
host s.test: sink
host mta-sts.s.test: web server
  version: STSv1
  mode: enforce
  mx: *.s.test
  max_age: 86400
host other.test: sink
host mta-sts.other.test: web server
  version: STSv1
  mode: enforce
  mx: mx.elsewhere.test
  max_age: 86400
host stripped.test: sink
  offer: PIPELINING 8BITMIME
host mta-sts.stripped.test: web server
  version: STSv1
  mode: enforce
  mx: mx.stripped.test
  max_age: 86400
host expired.test: sink
  tls: certificate expired
host mta-sts.expired.test: web server
  version: STSv1
  mode: enforce
  mx: mx.expired.test
  max_age: 86400
zone:
  _mta-sts.s.test. TXT "v=STSv1; id=1;"
  _mta-sts.other.test. TXT "v=STSv1; id=1;"
  _mta-sts.stripped.test. TXT "v=STSv1; id=1;"
  _mta-sts.expired.test. TXT "v=STSv1; id=1;"

alice@a.test sends "as it should be" to x@s.test
s.test takes 1 message within 45 s
  under TLS
alice@a.test sends "to a host that is not named" to x@other.test
x@other.test waits at a.test within 45 s
a.test tells of x@other.test within 30 s
  has: *does not name this host in its policy (MTA-STS)*
alice@a.test sends "without TLS" to x@stripped.test
a.test tells of x@stripped.test within 30 s
  has: *STARTTLS*
  has: *MTA-STS*
alice@a.test sends "expired" to x@expired.test
a.test tells of x@expired.test within 30 s
  has: *the certificate expired on*
10 s pass
other.test has taken 0 different messages
stripped.test has taken 0 different messages
expired.test has taken 0 different messages
x@stripped.test waits at a.test
a.test reports on stripped.test
  has: *"policy-type": "sts"*
  has: *"starttls-not-supported"*
  has: *"mx: mx.stripped.test"*
