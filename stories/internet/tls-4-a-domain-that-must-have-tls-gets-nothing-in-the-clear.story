# The operator's list: mail waits while the other side has no TLS or a wrong certificate, says why, and goes when that is mended.
host a.test: Hearthpost with alice
  set mandatory_tls.domains = ["s.test", "w.test"]
  set queue.delay_notice = "12 s"
host s.test: sink
  starttls: reply 454 4.7.0 not now
host w.test: sink
  tls: certificate wrong-name
host o.test: sink
  starttls: reply 454 4.7.0 not now

alice@a.test sends "required" to x@s.test
alice@a.test sends "required" to x@w.test
alice@a.test sends "not required" to x@o.test
o.test takes 1 message within 45 s
a.test tells of x@s.test within 30 s
  has: *on this server's list of domains that must have TLS*
a.test tells of x@w.test within 30 s
  has: *somewhere-else.invalid*
alice@a.test gets a report that x@s.test was delayed within 45 s
  has: *list of domains*
s.test has taken 0 different messages
w.test has taken 0 different messages
a.test reports on s.test
  has: *"starttls-not-supported"*
s.test behaves well from now on
w.test behaves well from now on
a.test tries everything again
s.test takes 1 message within 45 s
  under TLS
w.test takes 1 message within 45 s
  under TLS
