# The demo with a relay: what is taken arrives there once, what is refused is told to the sender in her own mailbox.
server: --relay {sink}
sink: rcpt nobody@*: reply 550 5.1.1 no such user here
dialogue alice on submissions:
  S: 220
  C: EHLO laptop.example
  S*: 250 *
  login alice
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<friend@elsewhere.example>
  S: 250
  C: RCPT TO:<nobody@elsewhere.example>
  S: 250
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: From: {alice}
  C: Subject: to a friend
  C: Bcc: secret@elsewhere.example
  C:
  C: ..and a dot
  C: .
  S: 250 2.0.0 * queued as {id}*
sink takes 1 message
taken 1 has: Subject: to a friend
taken 1 has: .and a dot
taken 1 lacks: Bcc:*
mailbox bob INBOX contains 2 messages
mailbox alice INBOX contains 2 messages
message alice INBOX 2 has: *nobody@elsewhere.example*
message alice INBOX 2 has: Action: failed
message alice INBOX 2 lacks: *friend@elsewhere.example; *
sink takes 1 message
