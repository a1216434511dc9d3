# A second attempt would come after ten minutes: what arrives in seconds came with the first.
host a.test at 203.0.113.10, 2001:db8:113::10: Hearthpost with alice
  set deliver.source_v6 = "2001:db8:113::10"
  set queue.retry_first = "10 min"
  set queue.retry_longest = "10 min"
host four.test at 203.0.113.20: Hearthpost with bob
  set queue.retry_first = "10 min"
  set queue.retry_longest = "10 min"
host s.test: sink
  over IPv6: connect: refuse
host t.test: sink
  over IPv4: connect: refuse
host u.test: sink
  over IPv6: banner: reply 421 4.3.2 not over IPv6 today
host six.test at 2001:db8:113::60: sink

# IPv6 first, and it refuses; it turns away.
alice@a.test sends "IPv6 refuses" to x@s.test
s.test takes 1 message within 45 s
  over IPv4, under TLS
alice@a.test sends "IPv6 turns away" to x@u.test
u.test takes 1 message within 45 s
  over IPv4, under TLS

# The order does not matter: IPv4 refuses.
alice@a.test sends "IPv4 refuses" to x@t.test
t.test takes 1 message within 45 s
  over IPv6, under TLS

# Who has no IPv6 at all uses what there is, and waits where there is nothing.
bob@four.test sends "IPv4 alone" to x@u.test
u.test takes 1 message within 45 s
  over IPv4
bob@four.test sends "no road" to x@six.test
x@six.test waits at four.test within 45 s
  has: *2001:db8:113::60*
bob@four.test has no report about x@six.test
