"""thunderbird.py PORT PICTURES: what a person does in Thunderbird, driven through Marionette, and what the server says to it.

Pictures of its windows go to the directory PICTURES, for people to look at."""

import pathlib
import smtplib
import struct
import subprocess
import sys
import time
import zlib
from email.message import EmailMessage

from look import DEMO, HOST, find, imap, ok, user, wait_for
from marionette import Marionette

PORT, PICTURES = int(sys.argv[1]), pathlib.Path(sys.argv[2])


def png(width, height, colour):
    """A picture of one colour."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def picture(name):
    subprocess.run(["import", "-window", "root", PICTURES / f"{name}.png"], check=True, timeout=20)


def deliver(subject, text, attachment=None):
    message = EmailMessage()
    message["From"] = "Zoë <zoe@remote.test>"
    message["To"] = user("alice")[0]
    message["Subject"] = subject
    message.set_content(text)
    if attachment:
        message.add_attachment(png(240, 120, (40, 110, 160)), maintype="image", subtype="png", filename=attachment)
    with smtplib.SMTP(HOST, DEMO["smtp"], "client.remote.test", timeout=20) as session:
        session.send_message(message, "zoe@remote.test", [user("alice")[0]])


def flags_of(folder, subject):
    session = imap("alice")
    (uid,) = find(session, folder, subject)
    data = session.uid("FETCH", uid, "(FLAGS)")[1][0].decode()
    session.logout()
    return data


def wait_for_flags(subject, *wanted):
    """Thunderbird sends flags a moment after it shows them."""
    end = time.monotonic() + 60
    while not all(flag in (said := flags_of("INBOX", subject)) for flag in wanted):
        if time.monotonic() > end:
            raise SystemExit(f"{wanted} are not all in {said}")
        time.sleep(0.1)


def reading(thunderbird):
    deliver("First, read me", "Grüße, and the word kingfisher.\n", "Bild für dich.png")
    uses = thunderbird.call("openInbox")
    ok(f"Thunderbird: finds the folders and their uses: {', '.join(sorted(uses))}")
    thunderbird.call("arrives", "First, read me", 90)
    seen = thunderbird.call("read", "First, read me")
    assert "Grüße, and the word kingfisher." in seen["text"], seen
    assert seen["attachments"] == ["Bild für dich.png"], seen
    wait_for_flags("First, read me", "\\Seen")
    picture("reading")
    ok("Thunderbird: receives, shows a message and its attachment, marks it as read")
    deliver("Second, pushed", "Nobody asked.\n")
    deliver("Third, to be deleted", "Nobody will miss me.\n")
    thunderbird.call("arrives", "Second, pushed", 90)
    thunderbird.call("arrives", "Third, to be deleted", 90)
    ok("Thunderbird: learns of new mail by IDLE, without asking")


def sorting(thunderbird):
    thunderbird.call("mark", "First, read me")
    wait_for_flags("First, read me", "\\Flagged", "$label1")
    session = imap("alice")
    (uid,) = find(session, "INBOX", "First, read me")
    session.select("INBOX")
    session.uid("STORE", uid, "-FLAGS", "(\\Flagged)")
    session.logout()
    thunderbird.call("seesFlags", "First, read me")
    ok("Thunderbird: stars and tags a message, and sees what another program changed")
    found = thunderbird.call("searchServer", "kingfisher")
    assert found == ["First, read me"], found
    ok("Thunderbird: searches the text of messages on the server")
    thunderbird.call("move", "Second, pushed", "archive")
    wait_for("alice", "Archive", "Second, pushed", 1, 60)
    wait_for("alice", "INBOX", "Second, pushed", 0, 60)
    thunderbird.call("remove", "Third, to be deleted")
    wait_for("alice", "Trash", "Third, to be deleted", 1, 60)
    wait_for("alice", "INBOX", "Third, to be deleted", 0, 60)
    ok("Thunderbird: moves a message, deletes another to the trash")
    thunderbird.call("makeFolder", "Über uns & andere")
    session = imap("alice")
    assert session.select('"&ANw-ber uns &- andere"', readonly=True) == ("OK", [b"1"])
    session.logout()
    picture("sorted")
    ok("Thunderbird: makes a folder, copies a message into it")


def writing(thunderbird):
    thunderbird.call("compose", user("bob")[0], "From Thunderbird", "Schöne Grüße\n")
    picture("writing")
    thunderbird.call("send")
    wait_for("bob", "INBOX", "From Thunderbird", 1, 60)
    wait_for("alice", "Sent", "From Thunderbird", 1, 60)
    ok("Thunderbird: sends, and keeps a copy in Sent")


def main():
    with open(pathlib.Path(__file__).with_name("thunderbird.js"), encoding="utf-8") as file:
        thunderbird = Marionette(PORT, file.read())
    address, password = user("alice")
    thunderbird.call("makeAccount", address, password, DEMO["imaps"], DEMO["submissions"])
    try:
        reading(thunderbird)
        sorting(thunderbird)
        writing(thunderbird)
    except BaseException:
        picture("failed")
        raise
    thunderbird.call("quit")


main()
