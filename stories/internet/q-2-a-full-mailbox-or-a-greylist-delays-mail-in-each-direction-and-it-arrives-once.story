# Every way between the servers meets a 4xx: full mailboxes, and a Postfix that puts off. Once there is room all arrives, once.
host a.test: Hearthpost with alice
host b.test: Hearthpost with bob
host p.test: Postfix with carl, grey
  puts grey@p.test off

alice@a.test has room for 1B
bob@b.test has room for 1B
alice@a.test sends "Hearthpost to Hearthpost" to bob@b.test
alice@a.test sends "Hearthpost to Postfix" to grey@p.test
carl@p.test sends "Postfix to Hearthpost" to alice@a.test
bob@b.test waits at a.test within 45 s
  has: *4.2.2*
grey@p.test waits at a.test within 45 s
  has: *Greylisted*
10 s pass

alice@a.test has room for 5MiB
bob@b.test has room for 5MiB
p.test puts nobody off any more
a.test tries everything again
bob@b.test receives "Hearthpost to Hearthpost" within 45 s
grey@p.test receives "Hearthpost to Postfix" within 45 s
alice@a.test receives "Postfix to Hearthpost" within 60 s
nothing waits at a.test within 45 s
10 s pass
bob@b.test receives "Hearthpost to Hearthpost"
grey@p.test receives "Hearthpost to Postfix"
alice@a.test receives "Postfix to Hearthpost"
alice@a.test has no report about bob@b.test
alice@a.test has no report about grey@p.test
