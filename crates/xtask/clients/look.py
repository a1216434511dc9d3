"""What the client tests share: a signed-in IMAP connection, and waiting for a message by its subject."""

import imaplib
import json
import os
import ssl
import time

DEMO = json.loads(os.environ["HEARTHPOST_DEMO"])
HOST = "localhost"


def user(name):
    """Address and password of the demo's user."""
    for entry in DEMO["users"]:
        if entry["address"].startswith(name + "@"):
            return entry["address"], entry["password"]
    raise SystemExit(f"the demo has no user {name}")


def tls():
    """A TLS context that trusts the demo's own authority and nobody else, and checks names."""
    return ssl.create_default_context(cafile=DEMO["ca"])


def imap(name):
    """IMAP over TLS, signed in."""
    session = imaplib.IMAP4_SSL(HOST, DEMO["imaps"], ssl_context=tls(), timeout=20)
    session.login(*user(name))
    return session


def find(session, folder, subject):
    """UIDs of the messages with this subject."""
    status, _ = session.select(folder, readonly=True)
    assert status == "OK", status
    status, found = session.uid("SEARCH", "SUBJECT", f'"{subject}"')
    assert status == "OK", (status, found)
    return found[0].split()


def wait_for(name, folder, subject, count=1, seconds=0.0):
    """The UIDs once `count` messages with this subject are there; an error when they do not come."""
    end = time.monotonic() + seconds
    session = imap(name)
    while True:
        uids = find(session, folder, subject)
        if len(uids) == count:
            session.logout()
            return uids
        if time.monotonic() >= end:
            raise SystemExit(f"{len(uids)} instead of {count} messages with subject {subject!r} in {folder} of {name}")
        time.sleep(0.1)


def ok(what):
    """One check that held."""
    print("ok", what, flush=True)
