# `smtp.own_servers`: a filter or second MX in front brings mail of others, so SPF cannot pass for it, and the author's domain wants such mail
# refused. What that server brings is taken; the same from anybody else is refused.
host a.test: Hearthpost with alice
  set smtp.authenticity = "enforce"
  set smtp.own_servers = ["203.0.113.40"]
host filter.test at 203.0.113.40: sink
host s.test at 203.0.113.41: sink
zone:
  strict.test. TXT "v=spf1 -all"
  _dmarc.strict.test. TXT "v=DMARC1; p=reject"

filter.test gives "through the filter" from boss@strict.test to alice@a.test: it is taken
alice@a.test receives "through the filter" within 45 s
  has: *header.from=strict.test*
a.test tells of boss@strict.test within 45 s
  has: *receive.examined*
s.test gives "past the filter" from boss@strict.test to alice@a.test: it is refused
  answer: 550 5.7.1 Not taken: nobody vouches for strict.test*
