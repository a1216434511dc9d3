# The envelope sender and the From field both belong to whoever signed in.
dialogue alice on submissions:
  S: 220
  C: EHLO laptop.example
  S*: 250 *
  login alice
  C: MAIL FROM:<{bob}>
  S: 550 5.7.1
  C: MAIL FROM:<boss@elsewhere.example>
  S: 550 5.7.1
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: From: Bob <{bob}>
  C: Subject: not from Bob
  C:
  C: .
  S: 550 5.7.1
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: From: Alice <{alice}>
  C: Subject: from Alice
  C:
  C: .
  S: 250 2.0.0
mailbox bob INBOX contains 2 messages
message bob INBOX 2 has: Subject: from Alice
