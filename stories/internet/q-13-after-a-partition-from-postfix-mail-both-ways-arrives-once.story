# Postfix and Hearthpost lose sight of each other. What both kept for the other arrives afterwards, once each.
host a.test: Hearthpost with alice
host p.test: Postfix with bob

alice@a.test sends "before" to bob@p.test
bob@p.test receives "before" within 45 s

a.test is cut off from p.test
alice@a.test sends "to Postfix" to bob@p.test
bob@p.test sends "to Hearthpost" to alice@a.test
10 s pass
bob@p.test waits at a.test

a.test is reconnected
a.test tries everything again
bob@p.test receives "to Postfix" within 60 s
alice@a.test receives "to Hearthpost" within 60 s
nothing waits at a.test within 45 s
10 s pass
bob@p.test receives "to Postfix"
alice@a.test receives "to Hearthpost"
alice@a.test has no report about bob@p.test
