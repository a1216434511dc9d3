# 250 means durable and visible: the look into the mailbox comes straight after it, and the log tells the message's life.
dialogue stranger on smtp:
  S: 220 mail.{domain} ESMTP
  C: EHLO client.example
  S: 250-mail.{domain}
  S*: 250 *
  C: MAIL FROM:<sender@client.example> BODY=8BITMIME
  S: 250 2.1.0
  C: RCPT TO:<{alice}>
  S: 250 2.1.5
  C: DATA
  S: 354
  C: From: Sender <sender@client.example>
  C: Subject: hello
  C:
  C: First line.
  C: ..a line that begins with one dot
  C: .
  S: 250 2.0.0 * queued as {id}
mailbox alice INBOX contains 2 messages
message alice INBOX 2 has: Return-Path: <sender@client.example>
message alice INBOX 2 has: Received: from client.example*
message alice INBOX 2 has: *{id}*
message alice INBOX 2 has: .a line that begins with one dot
message alice INBOX 2 lacks: ..a line*
log has event queue.accepted with queue_id={id} from=sender@client.example
dialogue stranger:
  C: QUIT
  S: 221 2.0.0
  closed
