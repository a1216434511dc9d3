# The deadlines of a message outlast a crash; besides, a server that has just started knows them to the second.
host a.test: Hearthpost with alice
  set queue.delay_notice = "10 s"
  set queue.give_up = "20 s"
host s.test: sink
  mail: reply 451 4.3.0 never today

alice@a.test sends "never arrives" to x@s.test
a.test is killed and starts again
alice@a.test gets a report that x@s.test was delayed, 9 to 45 s after sending
alice@a.test gets a report that x@s.test failed, 19 to 60 s after sending
  has: *never today*
nothing waits at a.test within 45 s
alice@a.test gets a report that x@s.test was delayed
s.test takes 0 messages
