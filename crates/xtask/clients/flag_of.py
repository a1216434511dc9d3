"""flag_of.py USER FOLDER SUBJECT FLAG: the one message with this subject has the flag."""

import sys

from look import find, imap

name, folder, subject, flag = sys.argv[1:]
session = imap(name)
uids = find(session, folder, subject)
assert len(uids) == 1, uids
data = session.uid("FETCH", uids[0], "(FLAGS)")[1][0]
assert flag.encode() in data, data
session.logout()
