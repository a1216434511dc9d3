"""Python's imaplib, and IDLE by hand on top of it."""

import imaplib
import re
import smtplib
import time

from look import DEMO, HOST, imap, ok, tls, user

imaplib.Commands.setdefault("MOVE", ("SELECTED",))
imaplib.Commands.setdefault("ID", ("NONAUTH", "AUTH", "SELECTED"))
imaplib.Commands.setdefault("IDLE", ("AUTH", "SELECTED"))
imaplib.Commands.setdefault("UNSELECT", ("SELECTED",))
NOTE = b"Subject: %s\r\nFrom: <alice@example.test>\r\nDate: Tue, 2 Jan 2024 03:04:05 +0000\r\n\r\nText of %s.\r\n"


def done(answer):
    """The data of an OK answer."""
    status, data = answer
    assert status == "OK", answer
    return data


def code(session, name):
    """The value of a response code of the commands before."""
    values = session.untagged_responses.pop(name, [])
    return values[-1].decode() if values else None


def append(session, folder, subject, flags=None):
    subject = subject.encode()
    data = done(session.append(folder, flags, imaplib.Time2Internaldate(1700000000), NOTE % (subject, subject)))
    found = re.search(rb"APPENDUID (\d+) (\d+)", data[0])
    assert found, data
    return found.group(2).decode()


plain = imaplib.IMAP4(HOST, DEMO["imap"], timeout=20)
assert "LOGINDISABLED" in plain.capabilities and "STARTTLS" in plain.capabilities, plain.capabilities
try:
    plain.login(*user("alice"))
    raise SystemExit("signed in without TLS")
except imaplib.IMAP4.error:
    ok("imaplib: no sign-in before TLS")
plain.starttls(tls())
plain.login(*user("alice"))
plain.logout()
ok("imaplib: STARTTLS on 143")

with imaplib.IMAP4_SSL(HOST, DEMO["imaps"], ssl_context=tls(), timeout=20) as wrong:
    try:
        wrong.login(user("alice")[0], "wrong")
        raise SystemExit("a wrong password was accepted")
    except imaplib.IMAP4.error as error:
        assert "AUTHENTICATIONFAILED" in str(error), error
ok("imaplib: a wrong password is refused with its code")

session = imap("alice")
capabilities = set(session.capability()[1][0].decode().split())
for wanted in ("IMAP4REV1", "IDLE", "UIDPLUS", "MOVE", "CONDSTORE", "SPECIAL-USE", "LIST-STATUS", "NAMESPACE", "ID", "ENABLE",
               "CHILDREN", "UNSELECT", "STATUS=SIZE", "LITERAL+"):
    assert wanted in {name.upper() for name in capabilities}, (wanted, capabilities)
ok("imaplib: capabilities after sign-in")
done(session._simple_command("ID", '("name" "xtask")'))
assert session.response("ID")[1][0], "ID has no answer"
done(session.namespace())
ok("imaplib: ID, NAMESPACE")

folders = b"\n".join(done(session.list())).decode()
for name, use in (("Sent", "\\Sent"), ("Drafts", "\\Drafts"), ("Trash", "\\Trash"), ("Junk", "\\Junk")):
    assert re.search(rf"\({re.escape(use)}[^\n]*{name}|\([^)]*{re.escape(use)}[^)]*\)[^\n]*{name}", folders), (name, folders)
ok("imaplib: LIST with special uses")

done(session.create("Work"))
done(session.create("Work/Plans"))
done(session.subscribe("Work/Plans"))
assert b"Work/Plans" in b"".join(done(session.lsub()))
done(session.rename("Work", "Projects"))
assert b"Projects/Plans" in b"\n".join(done(session.list()))
ok("imaplib: CREATE, SUBSCRIBE, RENAME of a tree")

uids = [append(session, "Projects", f"note-{number}", r"(\Seen)" if number == 1 else None) for number in range(1, 7)]
status = done(session.status("Projects", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE)"))[0].decode()
assert "MESSAGES 6" in status and "UNSEEN 5" in status and "SIZE " in status, status
ok("imaplib: APPEND with APPENDUID, STATUS with SIZE and HIGHESTMODSEQ")

done(session._simple_command("SELECT", "Projects", "(CONDSTORE)"))
session.state = "SELECTED"
before = int(code(session, "HIGHESTMODSEQ"))
data = done(session.uid("FETCH", ",".join(uids), "(UID FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE MODSEQ)"))
text = b" ".join(part if isinstance(part, bytes) else b" ".join(part) for part in data).decode()
assert text.count("ENVELOPE") == 6 and '"note-3"' in text and '"TEXT" "PLAIN"' in text.upper(), text
assert '"14-Nov-2023 22:13:20 +0000"' in text or "Nov-2023" in text, text
ok("imaplib: FETCH of ENVELOPE, BODYSTRUCTURE, INTERNALDATE, MODSEQ")
body = done(session.uid("FETCH", uids[2], "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.4>)"))
pieces = [part[1] for part in body if isinstance(part, tuple)]
assert pieces[0].strip() == b"Subject: note-3" and pieces[1] == b"Text", pieces
ok("imaplib: FETCH of header fields and a part of the text")

assert done(session.uid("SEARCH", "UNSEEN", "SUBJECT", "note-4"))[0].split() == [uids[3].encode()]
assert done(session.uid("SEARCH", "OR", "SUBJECT", "note-4", "BODY", '"Text of note-5"'))[0].split() == [
    uids[3].encode(), uids[4].encode()]
ok("imaplib: SEARCH")

done(session.uid("STORE", uids[1], "+FLAGS", r"(\Flagged $Label1)"))
changed = done(session._simple_command("UID", "FETCH", "1:*", f"(FLAGS) (CHANGEDSINCE {before})"))
rows = session.untagged_responses.pop("FETCH", [])
assert len(rows) == 1 and rb"\Flagged" in rows[0] and b"$label1" in rows[0].lower() and b"MODSEQ" in rows[0], rows
answer = session._simple_command("UID", "STORE", uids[1], f"(UNCHANGEDSINCE {before})", "+FLAGS", r"(\Answered)")
assert b"MODIFIED" in answer[1][0], answer
ok("imaplib: STORE, CHANGEDSINCE, UNCHANGEDSINCE")

session.untagged_responses.clear()
copied = done(session.uid("COPY", uids[0], "Archive")) if "Archive" in folders else done(session.uid("COPY", uids[0], "Trash"))
copied_text = (copied[0] or b"") + b" ".join(session.untagged_responses.get("COPYUID", []))
assert b"COPYUID" in copied_text or session.untagged_responses.get("COPYUID"), (copied, session.untagged_responses)
ok("imaplib: COPY with COPYUID")
done(session.uid("MOVE", uids[5], "Trash"))
left = done(session.uid("SEARCH", "ALL"))[0].split()
assert uids[5].encode() not in left and len(left) == 5, left
ok("imaplib: MOVE")

done(session.uid("STORE", f"{uids[3]},{uids[4]}", "+FLAGS.SILENT", r"(\Deleted)"))
done(session.uid("EXPUNGE", uids[3]))
left = done(session.uid("SEARCH", "ALL"))[0].split()
assert uids[3].encode() not in left and uids[4].encode() in left, left
done(session.expunge())
assert uids[4].encode() not in done(session.uid("SEARCH", "ALL"))[0].split()
ok("imaplib: UID EXPUNGE removes only what it names, EXPUNGE the rest")

done(session.select("INBOX"))
tag = session._new_tag()
session.send(tag + b" IDLE\r\n")
assert session.readline().startswith(b"+"), "IDLE was not continued"
with smtplib.SMTP(HOST, DEMO["smtp"], timeout=20) as smtp:
    smtp.sendmail("stranger@remote.test", [user("alice")[0]], "Subject: py-idle\r\n\r\nx")
    told = time.monotonic()
line = session.readline()
waited = time.monotonic() - told
while b"EXISTS" not in line:
    assert line, "the connection closed in IDLE"
    line = session.readline()
session.send(b"DONE\r\n")
while not line.startswith(tag):
    line = session.readline()
assert b"OK" in line, line
ok(f"imaplib: IDLE tells of a new message ({waited * 1000:.1f} ms after 250)")

done(session._simple_command("UNSELECT"))
session.state = "AUTH"
done(session.delete("Projects/Plans"))
done(session.delete("Projects"))
assert b"Projects" not in b"\n".join(done(session.list()))
ok("imaplib: UNSELECT, DELETE")
owner, guest = user("alice")[0], user("bob")[0]
shared = f"#shared/{owner}/Lent"
done(session.create("Lent"))
append(session, "Lent", "lent-1")
done(session.setacl("Lent", guest, "lr"))
assert guest.encode() in done(session.getacl("Lent"))[0]
other = imap("bob")
assert shared.encode() in b"\n".join(done(other.list('"#shared/"', "*")))
assert done(other.myrights(shared))[0].split()[-1] == b"lr"
done(other.select(shared, readonly=True))
assert b"lent-1" in done(other.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1]
assert other.store("1", "+FLAGS", r"(\Seen)")[0] == "NO"
done(other.copy("1", "INBOX"))
assert other.setacl(shared, guest, "lrswipkxtea")[0] == "NO"
done(session.deleteacl("Lent", guest))
assert other.fetch("1", "(FLAGS)")[0] == "NO"
assert other.select(shared)[0] == "NO"
other.logout()
done(session.delete("Lent"))
ok("imaplib: SETACL, GETACL, MYRIGHTS, DELETEACL; a shared mailbox is read while it may be")

bad = session.status("Nothing-Here", "(MESSAGES)")
assert bad[0] == "NO", bad
done(session.noop())
session.logout()
ok("imaplib: a refused command leaves the session usable")
