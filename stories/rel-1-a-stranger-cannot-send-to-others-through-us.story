# No address, however it is written, makes us pass a stranger's mail on to another server.
dialogue stranger on smtp:
  S: 220
  C: EHLO client.example
  S*: 250 *
  C: MAIL FROM:<sender@client.example>
  S: 250 2.1.0
  C: RCPT TO:<victim@elsewhere.example>
  S: 550 5.7.1
  C: RCPT TO:<victim%elsewhere.example@{domain}>
  S: 550 5.
  C: RCPT TO:<"victim@elsewhere.example"@{domain}>
  S: 550 5.
  C: RCPT TO:<elsewhere.example!victim@{domain}>
  S: 550 5.
  C: DATA
  S: 503 5.5.1
  C: RSET
  S: 250 2.0.0
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<victim@elsewhere.example>
  S: 550 5.7.1
