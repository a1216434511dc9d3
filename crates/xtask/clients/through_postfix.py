"""through_postfix.py PORT: gives mail to a Postfix that relays to the demo, then looks at what arrived."""

import smtplib
import sys

from look import HOST, find, imap, user, wait_for

alice, bob = user("alice")[0], user("bob")[0]
SENDER = "sender@remote.test"
CASES = {
    "pf-plain": b"plain\r\n",
    "pf-8bit": "Grüße, 你好\r\n".encode(),
    "pf-dots": b".\r\n..\r\n.x\r\n" + b"." * 900 + b"\r\n",
    "pf-long": b"y" * 990 + b"\r\n",
    "pf-large": b"".join(b"%060d\r\n" % number for number in range(20000)),
}
with smtplib.SMTP(HOST, int(sys.argv[1]), timeout=20) as smtp:
    for subject, body in CASES.items():
        head = f"From: <{SENDER}>\r\nTo: <{alice}>\r\nSubject: {subject}\r\n".encode()
        head += b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        smtp.sendmail(SENDER, [alice, bob], head + body, mail_options=["BODY=8BITMIME"])
    smtp.sendmail(SENDER, ["nobody-here@example.test"], f"From: <{SENDER}>\r\nSubject: pf-nobody\r\n\r\nx\r\n")
for subject, body in CASES.items():
    for name in ("alice", "bob"):
        wait_for(name, "INBOX", subject, 1, 60)
    session = imap("alice")
    uid = find(session, "INBOX", subject)[0]
    text = session.uid("FETCH", uid, "(BODY.PEEK[TEXT])")[1][0][1]
    assert text == body, (subject, text[:200], len(text), len(body))
    session.logout()
