# Nobody here but A has an IPv4 address, the name server's own way included.
host a.test: Hearthpost with alice
host six.test at 2001:db8:113::60: Hearthpost with bob
host p.test at 2001:db8:113::70: Postfix with carol
host s.test at 2001:db8:113::80: sink

alice@a.test sends "to IPv6 alone" to bob@six.test
alice@a.test sends "to a sink" to x@s.test
alice@a.test sends "to Postfix" to carol@p.test
bob@six.test sends "from IPv6 alone" to alice@a.test
bob@six.test sends "to a neighbour" to carol@p.test
carol@p.test sends "from Postfix" to bob@six.test

bob@six.test receives "to IPv6 alone" within 150 s
  has: *[IPv6:2001:db8:113::*
  has: *with ESMTPS *
s.test takes 1 message within 150 s
  over IPv6, under TLS
carol@p.test receives "to Postfix" within 150 s
alice@a.test receives "from IPv6 alone" within 150 s
  has: *[IPv6:2001:db8:113::60]*
carol@p.test receives "to a neighbour" within 150 s
  has: *[IPv6:2001:db8:113::60]*
bob@six.test receives "from Postfix" within 150 s
  has: *[IPv6:2001:db8:113::70]*
nothing waits at a.test within 150 s
nothing waits at six.test within 150 s
