# Right and wrong passwords, on every door that takes them, and what people write stay out of the log; forged lines stay inside their quotes.
dialogue sender on submissions:
  S: 220
  C: EHLO laptop.example
  S*: 250 *
  C: AUTH LOGIN
  S: 334
  C: Y2FuYXJ5QGV4YW1wbGUudGVzdA==
  S: 334
  C: Y2FuYXJ5LXdyb25nLXBhc3N3b3Jk
  S: 535 5.7.8
  login alice
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: From: {alice}
  C: Subject: canary-subject
  C:
  C: canary-body
  C: .
  S: 250 2.0.0
dialogue reader on imaps:
  S: * OK
  C: a LOGIN {alice} "canary-wrong-password"
  S: a NO [AUTHENTICATIONFAILED]
  login alice
log has event directory.sign-in-refused
log lacks: {alice.password}
log lacks: {alice.plain}
log lacks: canary-wrong-password
log lacks: Y2FuYXJ5LXdyb25nLXBhc3N3b3Jk
log lacks: canary-body
log lacks: canary-subject
