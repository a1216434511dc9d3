# What is put off arrives later, and nobody gets a report.
host a.test: Hearthpost with alice
host p.test: Postfix with grey
  puts grey@p.test off
host s.test: sink
  first 2 mail: reply 451 4.3.0 come back later

alice@a.test sends "put off by a sink" to x@s.test
alice@a.test sends "put off by Postfix" to grey@p.test
s.test takes 1 message within 45 s
grey@p.test waits at a.test within 45 s
  has: *Greylisted*

p.test puts nobody off any more
a.test tries everything again
grey@p.test receives "put off by Postfix" within 45 s
nothing waits at a.test within 45 s
alice@a.test has no report about x@s.test
alice@a.test has no report about grey@p.test
