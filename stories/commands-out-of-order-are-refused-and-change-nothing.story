# RFC 5321 section 4.1.4: the order is kept, RSET forgets, and an address with letters beyond ASCII needs SMTPUTF8 (RFC 6531).
dialogue stranger on smtp:
  S: 220
  C: MAIL FROM:<a@client.example>
  S: 503 5.5.1
  C: EHLO client.example
  S*: 250 *
  C: RCPT TO:<{alice}>
  S: 503 5.5.1
  C: DATA
  S: 503 5.5.1
  C: MAIL FROM:<a@client.example> SIZE=999999999999
  S: 552 5.3.4
  C: MAIL FROM:<a@client.example> UNKNOWN=1
  S: 555 5.5.4
  C: MAIL FROM:<ä@client.example>
  S: 553 5.6.7
  C: MAIL FROM:<a@client.example>
  S: 250
  C: MAIL FROM:<b@client.example>
  S: 503 5.5.1
  C: RCPT TO:<{alice}>
  S: 250
  C: RSET
  S: 250
  C: DATA
  S: 503 5.5.1
  C: VRFY {alice}
  S: 252
  C: NONSENSE
  S: 500 5.5.1
