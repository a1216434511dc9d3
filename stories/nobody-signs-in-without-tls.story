# AUTH and LOGIN are neither offered nor taken outside of TLS, and port 25 offers no sign-in at all.
dialogue sender on submission:
  S: 220
  C: EHLO laptop.example
  not: *AUTH*
  S*: 250 *
  C: AUTH PLAIN {alice.plain}
  S: 538 5.7.11
  C: MAIL FROM:<{alice}>
  S: 530 5.7.0
  starttls
  C: EHLO laptop.example
  S*: 250-AUTH PLAIN LOGIN
  S*: 250 *
  login alice
dialogue stranger on smtp:
  S: 220
  C: EHLO client.example
  not: *AUTH*
  S*: 250 *
  starttls
  C: EHLO client.example
  not: *AUTH*
  S*: 250 *
dialogue reader on imap:
  S: * OK [CAPABILITY *LOGINDISABLED*
  C: a LOGIN {alice} "{alice.password}"
  S: a NO [PRIVACYREQUIRED]
  starttls
  C: b CAPABILITY
  not: *LOGINDISABLED*
  S*: b OK
  login alice
log lacks: {alice.password}
log lacks: {alice.plain}
