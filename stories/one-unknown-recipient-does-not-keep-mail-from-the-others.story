# Recipients are answered one by one; the message goes to those who exist, and a tag leads to the same person.
dialogue stranger on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C: MAIL FROM:<sender@client.example>
  S: 250
  C: RCPT TO:<nobody@{domain}>
  S: 550 5.1.1
  C: RCPT TO:<alice+news@{domain}>
  S: 250 2.1.5
  C: RCPT TO:<{bob}>
  S: 250 2.1.5
  C: DATA
  S: 354
  C: Subject: for those who exist
  C:
  C: .
  S: 250 2.0.0
mailbox alice INBOX contains 2 messages
mailbox bob INBOX contains 2 messages
message bob INBOX 2 has: Subject: for those who exist
message bob INBOX 2 lacks: *alice+news*
log has event receive.recipient-refused
