"""far_side.py ACTION:FOLDER:SUBJECT[:USER]...: what another mail program does to the mailbox that a test copies to this machine."""

import sys

from look import find, imap

sessions = {}
for step in sys.argv[1:]:
    action, folder, subject, name = (step + ":bob").split(":")[:4]
    session = sessions.setdefault(name, None) or imap(name)
    sessions[name] = session
    uids = find(session, folder, subject)
    if action == "deliver":
        text = f"Subject: {subject}\r\nFrom: <x@remote.test>\r\n\r\nfar\r\n".encode()
        assert session.append(folder, None, None, text)[0] == "OK"
        continue
    assert len(uids) == 1, (step, uids)
    session.select(folder)
    if action == "delete":
        session.uid("STORE", uids[0], "+FLAGS", r"(\Deleted)")
        session.expunge()
    elif action == "flagged":
        data = session.uid("FETCH", uids[0], "(FLAGS)")[1][0]
        assert rb"\Flagged" in data, data
    else:
        raise SystemExit(f"what is {action}?")
for session in sessions.values():
    session.logout()
