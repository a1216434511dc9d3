# CVE-2011-0411: what is sent together with STARTTLS, before the handshake, closes the connection and is never looked at.
dialogue smtp on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: STARTTLS\r\nMAIL FROM:<a@client.example>\r\n
  S: 554 5.5.0
  closed
dialogue submission on submission:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C-raw: STARTTLS\r\nEHLO injected.example\r\n
  S: 554 5.5.0
  closed
dialogue imap on imap:
  S: * OK
  C-raw: a STARTTLS\r\nb CAPABILITY\r\n
  closed
log has event access.plaintext-after-starttls
