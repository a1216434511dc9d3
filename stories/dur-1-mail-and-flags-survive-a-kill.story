# What was answered with 250 or OK is there after SIGKILL, once, with its flags and the same UIDVALIDITY.
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
  C: Subject: keep me
  C:
  C: .
  S: 250 2.0.0
kill
mailbox alice INBOX contains 2 messages
dialogue before on imaps:
  S: * OK
  login alice
  C: a SELECT INBOX
  S*: * OK [UIDVALIDITY {validity}]*
  S*: a OK
  C: b STORE 2 +FLAGS (\Flagged \Seen)
  S*: b OK
  C: c EXPUNGE
  S: c OK
kill
dialogue after on imaps:
  S: * OK
  login alice
  C: a SELECT INBOX
  S*: * OK [UIDVALIDITY {validity}]*
  S*: a OK
  C: b FETCH 2 (FLAGS)
  S: * 2 FETCH (FLAGS (*\Flagged*
  S: b OK
  C: c STORE 1 +FLAGS.SILENT (\Deleted)
  S: c OK
  C: d EXPUNGE
  S: * 1 EXPUNGE
  S: d OK
kill
mailbox alice INBOX contains 1 message
message alice INBOX 1 has: Subject: keep me
