# Forwarded mail has a return address of ours (SRS), so a refusal reaches the first sender, at once or later.
host a.test: Hearthpost with alice
  alias moved@a.test leads to bob@p.test
  alias wrong@a.test leads to nobody@p.test
  alias late@a.test leads to late@p.test
host b.test: Hearthpost with bob
host p.test: Postfix with bob
  passes late@p.test on to gone-for-good@p.test

bob@b.test sends "through an alias" to moved@a.test
bob@p.test receives "through an alias" within 45 s
  has: Return-Path: <SRS0=*@a.test>
  has: *Delivered-To: moved@a.test*

bob@b.test sends "through a wrong alias" to wrong@a.test
bob@b.test gets a report on "through a wrong alias" within 45 s

# Postfix takes this one and bounces it later, to the SRS address at A.
bob@b.test sends "through an alias that fails late" to late@a.test
bob@b.test gets a report on "through an alias that fails late" within 45 s
nothing waits at a.test within 45 s
