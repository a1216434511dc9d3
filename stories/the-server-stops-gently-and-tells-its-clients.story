# SIGTERM: the process ends with success, and everything is there after the next start.
dialogue reader on imaps:
  S: * OK
  login alice
  C-raw: b APPEND INBOX {24+}\r\nSubject: before a stop\r\n\r\n\r\n
  S*: b OK
restart
mailbox alice INBOX contains 2 messages
message alice INBOX 2 has: Subject: before a stop
log has event program.stopped
