# A client that leaves before the final dot has sent nothing; the log says so.
dialogue stranger on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C: MAIL FROM:<a@client.example>
  S: 250
  C: RCPT TO:<{alice}>
  S: 250
  C: DATA
  S: 354
  C: Subject: half
  C:
  C: half a message
kill
mailbox alice INBOX contains 1 message
