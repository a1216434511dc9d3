"""IMAPClient's live test against the demo, over TLS and, for the connection, STARTTLS.

Some of its tests cannot hold; each is named below with the reason. Every other failure is ours."""

import sys
import tempfile
import unittest

from imapclient import IMAPClient, livetest

from look import DEMO, HOST, ok, tls, user

NOT_OURS = {
    "TestGeneral.test_subscriptions": "a new mailbox is subscribed here, and it expects it not to be",
    "TestSocketTimeout.test_small_connection_timeout_fail": "over loopback a connection takes less than its 1 ms",
    "TestSocketTimeout.test_small_read_timeout_fail": "over loopback an answer may come within its 10 us",
    "LiveTest.test_fetch": "it compares an ENVELOPE by assertSequenceEqual, and it is no sequence any more; "
    "without UIDs it does not expect UID in a FETCH that tells the new \\Seen",
    "LiveTest.test_search": "its SUBJECT SMALLER 5 asks for message 5 of 3: BAD (RFC 9051, 9: seq-number)",
    "LiveTest.test_getacl": "it subscripts its configuration, which cannot be; the same is asked below",
    "LiveTest.test_move": "without UIDs it calls imaplib.move, which does not exist",
}


def configuration():
    address, password = user("alice")
    return f"""[DEFAULT]
host = {HOST}
port = {DEMO['imaps']}
username = {address}
password = {password}
ssl_ca_file = {DEMO['ca']}
timeout = 20
[starttls]
port = {DEMO['imap']}
ssl = false
starttls = true
[wrong password]
password = no
expect_failure = AUTHENTICATIONFAILED
"""


def name_of(test):
    return ".".join(test.id().rsplit(".", 2)[-2:])


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(configuration())
        file.flush()
        sys.argv = ["livetest", file.name]
        program = []
        unittest.main, original = lambda **given: program.append(original(exit=False, **given)), unittest.main
        livetest.main()
    result = program[0].result
    failed = {name_of(test): trace for test, trace in result.failures + result.errors}
    for name, trace in failed.items():
        if name not in NOT_OURS:
            print(name, trace, sep="\n", file=sys.stderr)
    ours = [name for name in failed if name not in NOT_OURS]
    if ours:
        raise SystemExit(f"{len(ours)} tests of the live test failed: {', '.join(ours)}")
    held = result.testsRun - len(result.failures) - len(result.errors) - len(result.skipped)
    print(f"ok IMAPClient: {held} of {result.testsRun} tests of its live test hold, {len(result.skipped)} ask for "
          f"what we have not, {len(failed)} cannot hold")


def owns_inbox():
    """What test_getacl means to ask."""
    address, password = user("alice")
    client = IMAPClient(HOST, port=DEMO["imaps"], ssl_context=tls(), timeout=20)
    client.login(address, password)
    rights = dict(client.getacl("INBOX"))
    assert b"a" in rights[address.encode()], rights
    client.logout()
    ok("IMAPClient: GETACL")


main()
owns_inbox()
