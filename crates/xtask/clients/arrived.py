"""arrived.py USER FOLDER SUBJECT COUNT SECONDS [TEXT]: the messages are there (and their text holds TEXT)."""

import sys

from look import find, imap, wait_for

name, folder, subject, count, seconds = sys.argv[1:6]
wait_for(name, folder, subject, int(count), float(seconds))
if len(sys.argv) > 6:
    session = imap(name)
    for uid in find(session, folder, subject):
        status, data = session.uid("FETCH", uid, "(BODY.PEEK[])")
        text = data[0][1].decode("utf-8", "surrogateescape")
        if sys.argv[6] not in text:
            raise SystemExit(f"{sys.argv[6]!r} is not in\n{text[:4000]}")
    session.logout()
