"""Python's poplib against the demo: both doors, all commands, two sessions, and what IMAP sees of it."""

import poplib
import ssl

from look import DEMO, HOST, imap, ok, tls, user


def pop(name, door="pop3s"):
    if door == "pop3s":
        session = poplib.POP3_SSL(HOST, DEMO["pop3s"], timeout=20, context=tls())
    else:
        session = poplib.POP3(HOST, DEMO["pop3"], timeout=20)
        assert "STLS" in session.capa(), session.capa()
        session.stls(context=tls())
    address, password = user(name)
    session.user(address)
    session.pass_(password)
    return session


def append(name, subject, lines):
    session = imap(name)
    text = "\r\n".join([f"Subject: {subject}", "From: <x@remote.test>", "", *lines, ""]).encode()
    assert session.append("INBOX", None, None, text)[0] == "OK"
    session.logout()


def refused(call, *args):
    try:
        call(*args)
    except poplib.error_proto as error:
        return error.args[0].decode()
    raise SystemExit(f"{call} was not refused")


def passwords():
    session = poplib.POP3(HOST, DEMO["pop3"], timeout=20)
    assert "TLS" in refused(session.user, user("bob")[0])
    session.quit()
    ok("poplib: no password without TLS")
    session = poplib.POP3_SSL(HOST, DEMO["pop3s"], timeout=20, context=tls())
    session.user(user("bob")[0])
    assert refused(session.pass_, "wrong").startswith("-ERR [AUTH]")
    session.close()
    try:
        poplib.POP3_SSL(HOST, DEMO["pop3s"], timeout=20, context=ssl.create_default_context())
    except ssl.SSLError:
        ok("poplib: a wrong password, an unknown authority")
    else:
        raise SystemExit("a certificate of nobody was taken")


def reading(door):
    session = pop("bob", door)
    count, octets = session.stat()
    sizes = [int(line.split()[1]) for line in session.list()[1]]
    assert (count, octets) == (len(sizes), sum(sizes)), (count, octets, sizes)
    names = [line.split()[1] for line in session.uidl()[1]]
    assert len(set(names)) == count
    last = session.retr(count)[1]
    assert b"".join(line + b"\r\n" for line in last).endswith(b".\r\n..\r\n.hidden\r\n"), last
    assert session.top(count, 1)[1][-2:] == [b"", b"."], session.top(count, 1)
    session.noop()
    session.quit()
    ok(f"poplib: {door}: STAT, LIST, UIDL, RETR, TOP")
    return names


def removing():
    session = pop("bob")
    count = session.stat()[0]
    again = poplib.POP3_SSL(HOST, DEMO["pop3s"], timeout=20, context=tls())
    again.user(user("bob")[0])
    assert refused(again.pass_, user("bob")[1]).startswith("-ERR [IN-USE]")
    again.quit()
    ok("poplib: a second session is told that the first has the mailbox")
    session.dele(count)
    session.rset()
    session.dele(count)
    refused(session.retr, count)
    session.close()
    session = pop_when_free("bob")
    assert session.stat()[0] == count, "without QUIT nothing goes"
    session.dele(count)
    session.quit()
    far = imap("bob")
    assert far.select("INBOX", readonly=True)[1] == [str(count - 1).encode()]
    far.logout()
    ok("poplib: DELE, RSET, and removal at QUIT alone")


def pop_when_free(name):
    """The server may not yet have heard that the session before was cut off."""
    for _ in range(20):
        try:
            return pop(name)
        except poplib.error_proto as error:
            assert b"IN-USE" in error.args[0], error
    raise SystemExit("the mailbox stays in use")


append("bob", "dots", [".", "..", ".hidden"])
passwords()
assert reading("pop3s") == reading("pop3")
removing()
