# `TLS-Required: No` (RFC 8689 §4.2, §5): a sender who would rather be read than not heard, for example who writes about broken TLS. DANE and MTA-STS are
# put aside for this one message; what the operator requires stays, and the sender reads why it waits.
host a.test: Hearthpost with alice
  set mandatory_tls.domains = ["must.test"]
  set queue.delay_notice = "12 s"
host dane.test: sink
  offer: PIPELINING 8BITMIME
host sts.test: sink
  offer: PIPELINING 8BITMIME
host mta-sts.sts.test: web server
  version: STSv1
  mode: enforce
  mx: mx.sts.test
  max_age: 86400
host must.test: sink
  offer: PIPELINING 8BITMIME
zone:
  _25._tcp.mx.dane.test. TLSA 3 1 1 {key}
  _mta-sts.sts.test. TXT "v=STSv1; id=1;"

alice@a.test sends "your TLS is broken" to x@dane.test with header "TLS-Required: No"
dane.test takes 1 message within 45 s
  in the clear
  has: TLS-Required: No
a.test tells of x@dane.test within 45 s
  has: *TLS-Required: No*
alice@a.test sends "yours too" to x@sts.test with header "TLS-Required: No"
sts.test takes 1 message within 45 s
  in the clear

alice@a.test sends "whatever you say" to x@must.test with header "TLS-Required: No"
alice@a.test gets a report that x@must.test was delayed within 45 s
  has: *list of domains*
must.test takes 0 messages

# The next message without the field is held to what the domains say.
alice@a.test sends "as usual" to y@dane.test
alice@a.test sends "as usual" to y@sts.test
y@dane.test waits at a.test within 45 s
  has: *(DANE)*
y@sts.test waits at a.test within 45 s
  has: *(MTA-STS)*
dane.test takes 0 messages
sts.test takes 0 messages
