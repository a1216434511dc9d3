# A change in one session reaches the other when its turn comes, and sequence numbers never shift in the middle of a FETCH (RFC 3501 section 7.4.1).
dialogue one on imaps:
  S: * OK
  login alice
  C: a CREATE Work
  S: a OK
  C-raw: b APPEND Work (\\Seen) {14+}\r\nSubject: a\r\n\r\n\r\n
  S*: b OK
  C-raw: c APPEND Work {14+}\r\nSubject: b\r\n\r\n\r\n
  S*: c OK
  C: d SELECT Work
  S*: * 2 EXISTS
  S*: d OK
dialogue two on imaps:
  S: * OK
  login alice
  C: a SELECT Work
  S*: * 2 EXISTS
  S*: a OK
  C: b STORE 1 +FLAGS (\Deleted)
  S: * 1 FETCH (FLAGS (*\Deleted*
  S: b OK
  C: c EXPUNGE
  S: * 1 EXPUNGE
  S: c OK
dialogue one:
  C: e FETCH 1 (UID)
  not: * EXPUNGE
  S*: e *
  C: f NOOP
  S*: * 1 EXPUNGE
  S*: f OK
  C: g FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])
  S: * 1 FETCH *
  S: Subject: b
  S*: g OK
