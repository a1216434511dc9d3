# The message comes back to where it has been; its sender gets one report.
host a.test: Hearthpost with carol
  alias circle@a.test leads to circle@b.test
host b.test: Hearthpost with bob
  alias circle@b.test leads to circle@a.test

carol@a.test sends "round and round" to circle@a.test
carol@a.test gets a report on "round and round" within 45 s
  has: Status: 5.4.6
nothing waits at a.test within 45 s
nothing waits at b.test within 45 s
