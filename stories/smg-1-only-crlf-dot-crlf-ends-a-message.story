# Four ways to hide a second message behind a false end, each refused: nobody downstream can read two messages where we read one.
dialogue lf on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: MAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
  S: 250
  S: 250
  S: 354
  C-raw: Subject: one\r\n\r\ntext\n.\nMAIL FROM:<b@client.example>\r\n.\r\n
  S: 550 5.6.0
dialogue mixed on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: MAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
  S: 250
  S: 250
  S: 354
  C-raw: Subject: one\r\n\r\ntext\r\n.\nMAIL FROM:<b@client.example>\r\n.\r\n
  S: 550 5.6.0
dialogue cr on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: MAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
  S: 250
  S: 250
  S: 354
  C-raw: Subject: one\r\n\r\ntext\r.\rMAIL FROM:<b@client.example>\r\n.\r\n
  S: 550 5.6.0
dialogue nul on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: MAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
  S: 250
  S: 250
  S: 354
  C-raw: Subject: one\r\n\r\nte\0xt\r\n.\r\n
  S: 550 5.6.0
mailbox alice INBOX contains 1 message
