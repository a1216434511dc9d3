"""Python's smtplib against every SMTP door."""

import smtplib
import socket
from email.message import EmailMessage

from look import DEMO, HOST, find, imap, ok, tls, user, wait_for


def message(subject, sender, *recipients, body="Hello.\n"):
    new = EmailMessage()
    new["Subject"], new["From"], new["To"] = subject, sender, ", ".join(recipients)
    new.set_content(body)
    return new


def refused(code, call):
    """The call must be refused with this code."""
    try:
        call()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {reply[0] for reply in error.recipients.values()}
        assert codes == {code}, error
    except smtplib.SMTPResponseException as error:
        assert error.smtp_code == code, error
    else:
        raise SystemExit(f"not refused, {code} was due")


alice, alice_password = user("alice")
bob, bob_password = user("bob")

with smtplib.SMTP(HOST, DEMO["smtp"], timeout=20) as smtp:
    smtp.ehlo("client.remote.test")
    for extension in ("pipelining", "size", "8bitmime", "smtputf8", "chunking", "enhancedstatuscodes", "starttls"):
        assert smtp.has_extn(extension), extension
    assert not smtp.has_extn("auth"), "AUTH is not for strangers"
    smtp.send_message(message("py-25", "stranger@remote.test", alice), "stranger@remote.test")
    wait_for("alice", "INBOX", "py-25")
    ok("smtplib: port 25, visible at once")
    body = ".\n..\n.x\n" + "line\n" * 3
    smtp.send_message(message("py-dots", "stranger@remote.test", alice, body=body), "stranger@remote.test")
    session = imap("alice")
    uid = find(session, "INBOX", "py-dots")[0]
    text = session.uid("FETCH", uid, "(BODY.PEEK[TEXT])")[1][0][1]
    assert text == body.replace("\n", "\r\n").encode(), text
    session.logout()
    ok("smtplib: lines of dots arrive as they were")
    refused(550, lambda: smtp.sendmail("stranger@remote.test", ["nobody-here@example.test"], "Subject: x\r\n\r\nx"))
    ok("smtplib: unknown recipient refused")
    refused(550, lambda: smtp.sendmail("stranger@remote.test", ["somebody@elsewhere.test"], "Subject: x\r\n\r\nx"))
    ok("smtplib: a stranger cannot relay")
    smtp.sendmail("", [bob], "Subject: py-null\r\nFrom: <mailer-daemon@remote.test>\r\n\r\nbounce\r\n")
    wait_for("bob", "INBOX", "py-null")
    ok("smtplib: null sender")

with smtplib.SMTP(HOST, DEMO["smtp"], timeout=20) as smtp:
    smtp.starttls(context=tls())
    smtp.ehlo()
    assert not smtp.has_extn("starttls") and not smtp.has_extn("auth")
    new = message("py-utf8", "käfer@remote.test", alice)
    smtp.send_message(new, "käfer@remote.test")
    wait_for("alice", "INBOX", "py-utf8")
    ok("smtplib: STARTTLS on 25, SMTPUTF8 sender")

with smtplib.SMTP(HOST, DEMO["submission"], timeout=20) as smtp:
    smtp.ehlo()
    assert not smtp.has_extn("auth"), "no sign-in offered before TLS"
    code, _ = smtp.docmd("AUTH", "PLAIN AGFsaWNlAHNlY3JldA==")
    assert code in (530, 538), code
    ok("smtplib: submission offers no sign-in before TLS")
    smtp.starttls(context=tls())
    smtp.ehlo()
    code, _ = smtp.mail(alice)
    assert code == 530, code
    ok("smtplib: submission wants a sign-in")
    smtp.login(alice, alice_password)
    smtp.send_message(message("py-587", alice, bob))
    wait_for("bob", "INBOX", "py-587")
    ok("smtplib: 587, STARTTLS, sign-in")
    refused(550, lambda: smtp.sendmail(bob, [alice], f"From: <{bob}>\r\nSubject: x\r\n\r\nx"))
    ok("smtplib: nobody sends as somebody else")
    refused(550, lambda: smtp.sendmail(alice, [bob], f"From: <{bob}>\r\nSubject: x\r\n\r\nx"))
    ok("smtplib: nobody writes somebody else's From")

for mechanism in ("auth_plain", "auth_login"):
    with smtplib.SMTP_SSL(HOST, DEMO["submissions"], context=tls(), timeout=20) as smtp:
        smtp.ehlo()
        smtp.user, smtp.password = bob, bob_password
        smtp.auth(mechanism.split("_")[1].upper(), getattr(smtp, mechanism))
        new = message("py-465-" + mechanism, bob, alice)
        new["Bcc"] = "hidden@example.test"
        smtp.sendmail(bob, [alice], new.as_bytes(policy=new.policy.clone(linesep="\r\n")))
        wait_for("alice", "INBOX", "py-465-" + mechanism)
        ok("smtplib: 465, " + mechanism)
session = imap("alice")
uid = find(session, "INBOX", "py-465-auth_login")[0]
head = session.uid("FETCH", uid, "(BODY.PEEK[HEADER])")[1][0][1].decode()
names = [line.split(":")[0].lower() for line in head.split("\r\n") if ":" in line and line[0] not in " \t"]
assert "bcc" not in names and "date" in names and "message-id" in names and "received" in names, head
session.logout()
ok("smtplib: Bcc removed, Date and Message-ID added")

with smtplib.SMTP_SSL(HOST, DEMO["submissions"], context=tls(), timeout=20) as smtp:
    refused(535, lambda: smtp.login(alice, "wrong"))
    ok("smtplib: a wrong password is refused")

with smtplib.LMTP(HOST, DEMO["lmtp"], timeout=20) as lmtp:
    lmtp.ehlo_or_helo_if_needed()
    assert lmtp.mail("local@example.test")[0] == 250
    assert [lmtp.rcpt(address)[0] for address in (alice, bob)] == [250, 250]
    assert lmtp.docmd("DATA")[0] == 354
    lmtp.send("Subject: py-lmtp\r\nFrom: <local@example.test>\r\n\r\nx\r\n.\r\n")
    assert [lmtp.getreply()[0] for _ in (alice, bob)] == [250, 250]
    wait_for("alice", "INBOX", "py-lmtp")
    wait_for("bob", "INBOX", "py-lmtp")
    ok("smtplib: LMTP, one answer per recipient")

with socket.create_connection((HOST, DEMO["smtp"]), timeout=20) as raw:
    raw.recv(1000)
    raw.sendall(b"EHLO x\r\n")
    raw.recv(4000)
    raw.sendall(b"MAIL FROM:<a@remote.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % alice.encode())
    seen = b""
    while b"354" not in seen:
        seen += raw.recv(1000)
    raw.sendall(b"Subject: py-smuggle\r\n\r\nx\n.\nMAIL FROM:<evil@remote.test>\r\n.\r\n")
    reply = raw.recv(1000)
    assert reply.startswith(b"550 5.6.0"), reply
    ok("sockets: a bare LF is refused, nothing is smuggled")
