# RFC 2920 and RFC 3030: one packet with a whole transaction, and a message in chunks.
dialogue stranger on smtp:
  S: 220
  C-raw: EHLO client.example\r\n
  S*: 250 *
  C-raw: MAIL FROM:<a@client.example>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
  S: 250 2.1.0
  S: 550 5.1.1
  S: 250 2.1.5
  S: 354
  C-raw: Subject: piped\r\n\r\ntext\r\n.\r\nRSET\r\nNOOP\r\n
  S: 250 2.0.0
  S: 250 2.0.0
  S: 250 2.0.0
  C-raw: MAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\nBDAT 9\r\nSubject: BDAT 13\r\nchunks\r\n\r\n.\r\nBDAT 0 LAST\r\nQUIT\r\n
  S: 250 2.1.0
  S: 250 2.1.5
  S: 250 2.0.0
  S: 250 2.0.0
  S: 250 2.0.0
  S: 221
  closed
mailbox alice INBOX contains 3 messages
message alice INBOX 3 has: Subject: chunks
