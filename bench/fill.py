"""fill.py LMTP_PORT N: delivers N small messages, a hundred recipients each, over a few LMTP sessions."""

import json
import multiprocessing
import socket
import sys
import time

SESSIONS = 4
RECIPIENTS = 100


def session(port, counts, delivered):
    connection = socket.create_connection(("127.0.0.1", port), timeout=120)
    lines = connection.makefile("rb")

    def replies(count):
        good = 0
        for _ in range(count):
            line = lines.readline()
            while line[3:4] == b"-":
                line = lines.readline()
            good += line[:1] in (b"2", b"3")
        return good

    replies(1)
    connection.sendall(b"LHLO fill.test\r\n")
    replies(1)
    done = 0
    for number, count in enumerate(counts):
        commands = b"MAIL FROM:<sender@remote.test>\r\n"
        commands += b"".join(b"RCPT TO:<user%d@example.test>\r\n" % user for user in range(count)) + b"DATA\r\n"
        connection.sendall(commands)
        assert replies(count + 2) == count + 2
        head = b"From: <sender@remote.test>\r\nSubject: fill %d\r\nDate: Tue, 2 Jan 2024 03:04:05 +0000\r\n\r\n" % number
        connection.sendall(head + b"some text to fill the store with\r\n" * 10 + b".\r\n")
        done += replies(count)
    delivered.put(done)


def main():
    port, wanted = int(sys.argv[1]), int(sys.argv[2])
    counts = [RECIPIENTS] * (wanted // RECIPIENTS) + ([wanted % RECIPIENTS] if wanted % RECIPIENTS else [])
    delivered = multiprocessing.Queue()
    started = time.monotonic()
    workers = [multiprocessing.Process(target=session, args=(port, counts[at::SESSIONS], delivered)) for at in range(SESSIONS)]
    for process in workers:
        process.start()
    total = 0
    for process in workers:
        process.join()
        assert process.exitcode == 0, "a session failed"
        total += delivered.get()
    print(json.dumps({"delivered": total, "seconds": time.monotonic() - started}))


main()
