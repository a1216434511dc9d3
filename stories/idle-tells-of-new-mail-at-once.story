# RFC 2177: a client that waits is told, and can go on after DONE.
dialogue reader on imaps:
  S: * OK
  login alice
  C: a SELECT INBOX
  S*: a OK
  C: b IDLE
  S: +
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
  C: Subject: wake up
  C:
  C: .
  S: 250 2.0.0
dialogue reader:
  S*: * 2 EXISTS
  C: DONE
  S*: b OK
  C: c FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])
  S: * 2 FETCH *
  S: Subject: wake up
  S*: c OK
