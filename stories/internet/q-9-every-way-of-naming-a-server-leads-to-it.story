# By MX or without, by an alias (which RFC 5321 §5.1 does not want and everybody has), in either family.
host a.test: Hearthpost with alice
host s.test at 203.0.113.40, 2001:db8:113::40: sink
zone:
  plain4.test.    A 203.0.113.40
  plain6.test.    AAAA 2001:db8:113::40
  mx6.test.       MX 10 only6.test.
  only6.test.     AAAA 2001:db8:113::40
  alias.test.     CNAME s.test.
  mxalias.test.   MX 10 other-name.test.
  other-name.test. CNAME mx.s.test.
  mapped.test.    MX 10 mx.mapped.test.
  mx.mapped.test. AAAA ::ffff:203.0.113.40

alice@a.test sends "no MX, an IPv4 address" to x@plain4.test
s.test takes 1 message within 45 s
  over IPv4
alice@a.test sends "no MX, an IPv6 address" to x@plain6.test
s.test takes 1 message within 45 s
  over IPv6
alice@a.test sends "an MX with IPv6 alone" to x@mx6.test
s.test takes 1 message within 45 s
  over IPv6
alice@a.test sends "an alias of a domain" to x@alias.test
s.test takes 1 message within 45 s
alice@a.test sends "an alias of a server" to x@mxalias.test
s.test takes 1 message within 45 s
alice@a.test sends "IPv4 in IPv6 clothes" to x@mapped.test
s.test takes 1 message within 45 s
  over IPv4
