# Until delivery to other servers exists, such mail is accepted durably and waits; it is not lost by a kill either.
dialogue alice on submissions:
  S: 220
  C: EHLO laptop.example
  S*: 250 *
  login alice
  C: MAIL FROM:<{alice}>
  S: 250
  C: RCPT TO:<friend@elsewhere.example>
  S: 250
  C: RCPT TO:<{bob}>
  S: 250
  C: DATA
  S: 354
  C: From: {alice}
  C: Subject: to a friend
  C:
  C: .
  S: 250 2.0.0 * queued as {id}
mailbox bob INBOX contains 2 messages
log has event queue.accepted with queue_id={id} origin=submitted delivered=1 waiting=1
kill
mailbox bob INBOX contains 2 messages
