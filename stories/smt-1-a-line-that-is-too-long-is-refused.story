# RFC 5321 section 4.5.3.1: commands and text lines have limits, and beyond them nothing is kept.
dialogue command on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: NOOP \*5000{x}\r\n
  S: 500 5.5.6
dialogue text on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C: MAIL FROM:<a@client.example>
  S: 250
  C: RCPT TO:<{alice}>
  S: 250
  C: DATA
  S: 354
  C-raw: Subject: long\r\n\r\n\*2000{x}\r\n.\r\n
  S: 550 5.6.0
mailbox alice INBOX contains 1 message
