# A server without DSN cannot promise a report, so we say that the message was relayed there.
host a.test: Hearthpost with alice
host s.test: sink
  offer: PIPELINING SIZE=1000000 8BITMIME

alice@a.test sends "please confirm" to x@s.test asking for NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@s.test ENVID=QQ-314 RET=HDRS
s.test takes 1 message within 45 s
  in the clear
alice@a.test gets a report that x@s.test was relayed within 45 s
  has: Original-Envelope-Id: QQ-314
