# RFC 2033 section 4.2: after the final dot there is one reply for each accepted recipient, in their order.
dialogue program on lmtp:
  S: 220
  C: EHLO local.example
  S: 500 5.5.1
  C: LHLO local.example
  S*: 250 *
  C: MAIL FROM:<>
  S: 250
  C: RCPT TO:<{alice}>
  S: 250
  C: RCPT TO:<nobody@{domain}>
  S: 550 5.1.1
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: Subject: a report
  C:
  C: .
  S: 250 2.0.0
  S: 250 2.0.0
  C: NOOP
  S: 250 2.0.0
mailbox alice INBOX contains 2 messages
mailbox bob INBOX contains 2 messages
message alice INBOX 2 has: Return-Path: <>
