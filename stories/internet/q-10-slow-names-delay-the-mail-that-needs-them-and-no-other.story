# DNS that takes its time: with two seconds a question mail still goes, under DANE and under a policy of MTA-STS. Names that take longer than anybody
# waits leave mail waiting with the reason; a TLSA record that cannot be had is no licence to do without. Other mail goes at once.
host a.test: Hearthpost with alice
host dane.test: sink
host sts.test: sink
host mta-sts.sts.test: web server
  version: STSv1
  mode: enforce
  mx: mx.sts.test
  max_age: 86400
host dead.test: sink
host half.test: sink
host good.test: sink
zone:
  _25._tcp.mx.dane.test. TLSA 3 1 1 {key}
  _25._tcp.mx.half.test. TLSA 3 1 1 {key}
  _mta-sts.sts.test. TXT "v=STSv1; id=1;"
names of dane.test take 2 s
names of sts.test take 2 s
names of dead.test take 60 s
names of _tcp.mx.half.test take 60 s

alice@a.test sends "never found" to x@dead.test
alice@a.test sends "without its key" to x@half.test
alice@a.test sends "by DANE" to x@dane.test
alice@a.test sends "by MTA-STS" to x@sts.test
alice@a.test sends "at once" to x@good.test
good.test takes 1 message within 45 s
dane.test takes 1 message within 90 s
  under TLS
sts.test takes 1 message within 90 s
  under TLS
a.test tells of x@dane.test within 45 s
  has: *verified by DNS (DANE)*
a.test tells of x@sts.test within 45 s
  has: *MTA-STS*
x@dead.test waits at a.test within 90 s
  has: *could not be looked up: no name server answered in time*
x@half.test waits at a.test within 90 s
  has: *its TLSA records (DANE) could not be looked up: no name server answered in time*
dead.test takes 0 messages
half.test takes 0 messages
