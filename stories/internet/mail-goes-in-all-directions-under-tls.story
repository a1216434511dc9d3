# Two Hearthposts and a Postfix: each sends to both others, everything arrives once and encrypted.
host a.test: Hearthpost with alice
host b.test: Hearthpost with bob
host p.test: Postfix with carol

alice@a.test sends "from A to B" to bob@b.test
alice@a.test sends "from A to P" to carol@p.test
bob@b.test sends "from B to A" to alice@a.test
bob@b.test sends "from B to P" to carol@p.test
carol@p.test sends "from P to A" to alice@a.test
carol@p.test sends "from P to B" to bob@b.test

bob@b.test receives "from A to B" within 45 s
  has: Return-Path: <alice@a.test>
  has: *with ESMTPS *
alice@a.test receives "from B to A" within 45 s
  has: Return-Path: <bob@b.test>
  has: *with ESMTPS *
alice@a.test receives "from P to A" within 45 s
  has: Return-Path: <carol@p.test>
  has: *with ESMTPS *
bob@b.test receives "from P to B" within 45 s
  has: Return-Path: <carol@p.test>
  has: *with ESMTPS *
carol@p.test receives "from A to P" within 45 s
  has: *using TLSv1.3*
carol@p.test receives "from B to P" within 45 s
  has: *using TLSv1.3*
nothing waits at a.test within 45 s
nothing waits at b.test within 45 s
