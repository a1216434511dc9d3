# A host with two addresses in each family: the other side sees the ones of deliver.source_v4 and source_v6, and a name for each.
host a.test at 203.0.113.10, 203.0.113.11, 2001:db8:113::10, 2001:db8:113::11: Hearthpost with alice
  set deliver.source_v4 = "203.0.113.11"
  set deliver.source_v6 = "2001:db8:113::11"
  set deliver.ehlo_name = "out4.a.test"
  set deliver.ehlo_name_v6 = "out6.a.test"
host b.test at 203.0.113.20: Hearthpost with bob
host four.test at 203.0.113.40: sink
host six.test at 2001:db8:113::60: sink

alice@a.test sends "over IPv4" to x@four.test
four.test takes 1 message within 45 s
  from 203.0.113.11, greeted as out4.a.test
alice@a.test sends "over IPv6" to x@six.test
six.test takes 1 message within 45 s
  from 2001:db8:113::11, greeted as out6.a.test
alice@a.test sends "seen by a Hearthpost" to bob@b.test
bob@b.test receives "seen by a Hearthpost" within 45 s
  has: Received: from out4.a.test ([203.0.113.11])
