# Date and Message-ID are added when the client left them out (RFC 6409 section 8); Bcc does not reach anybody.
dialogue alice on submission:
  S: 220
  C: EHLO laptop.example
  S*: 250 *
  starttls
  C: EHLO laptop.example
  S*: 250 *
  login alice
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: From: {alice}
  C: To: {bob}
  C: Bcc: secret@elsewhere.example,
  C:  another@elsewhere.example
  C: Subject: complete me
  C:
  C: text
  C: .
  S: 250 2.0.0
mailbox bob INBOX contains 2 messages
message bob INBOX 2 has: Date: *
message bob INBOX 2 has: Message-ID: <*@*>
message bob INBOX 2 lacks: *elsewhere.example*
