# Packets over IPv6 are lost on the way to s.test; IPv4 would do. A second attempt would come after ten minutes.
host a.test at 203.0.113.10, 2001:db8:113::10: Hearthpost with alice
  set deliver.source_v6 = "2001:db8:113::10"
  set queue.retry_first = "10 min"
  set queue.retry_longest = "10 min"
host s.test at 203.0.113.40, 2001:db8:113::40: sink

a.test is cut off from s.test over IPv6
alice@a.test sends "into a hole" to x@s.test
s.test takes 1 message, 4 to 45 s after sending
  over IPv4, under TLS
nothing waits at a.test within 45 s
a.test tells of x@s.test within 45 s
  has: *[2001:db8:113::40]:25: no answer*

# The next connection takes IPv4 at once: another recipient, whose message cannot use the one that is open.
10 s pass
alice@a.test sends "around the hole" to y@s.test
s.test takes 1 message within 45 s
  over IPv4, under TLS
a.test tells of y@s.test within 45 s
  has: *y@s.test: delivered*
  lacks: *no answer*
