"""idle_notice.py SMTP_PORT IMAP_PORT PASSWORD N: milliseconds from reading 250 to reading EXISTS in IDLE, over N deliveries.

Two processes with one clock: the sender notes when it has read the final 250, the reader when it has read the notice."""

import json
import multiprocessing
import socket
import sys
import time

USER = "user0@example.test"


def reader(port, password, count, pipe):
    connection = socket.create_connection(("127.0.0.1", port))
    lines = connection.makefile("rb")
    lines.readline()
    for tag, command in (("a", f'LOGIN "{USER}" "{password}"'), ("b", "SELECT INBOX")):
        connection.sendall(f"{tag} {command}\r\n".encode())
        line = lines.readline()
        while not line.startswith(tag.encode() + b" "):
            line = lines.readline()
        assert b" OK" in line, line
    connection.sendall(b"c IDLE\r\n")
    while not lines.readline().startswith(b"+"):
        pass
    pipe.send("ready")
    for _ in range(count):
        while b" EXISTS" not in lines.readline():
            pass
        pipe.send(time.monotonic())


def main():
    smtp_port, imap_port, password, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=reader, args=(imap_port, password, count, theirs), daemon=True)
    process.start()
    assert ours.poll(20) and ours.recv() == "ready"
    connection = socket.create_connection(("127.0.0.1", smtp_port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = connection.makefile("rb")

    def reply():
        line = lines.readline()
        while line[3:4] == b"-":
            line = lines.readline()
        assert line[:1] in b"23", line
        return line

    reply()
    connection.sendall(b"EHLO client.remote.test\r\n")
    reply()
    waits = []
    text = b"line of text, as long as a line of text is\r\n" * 90
    for number in range(count):
        for command in (b"MAIL FROM:<sender@remote.test>", f"RCPT TO:<{USER}>".encode(), b"DATA"):
            connection.sendall(command + b"\r\n")
            reply()
        connection.sendall(b"From: <sender@remote.test>\r\nSubject: %d\r\n\r\n" % number + text + b".\r\n")
        reply()
        answered = time.monotonic()
        assert ours.poll(30), "no notice within 30 s"
        waits.append((ours.recv() - answered) * 1e3)
        time.sleep(0.005)
    waits.sort()
    at = lambda share: waits[min(len(waits) - 1, int(len(waits) * share))]
    print(json.dumps({"n": count, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": waits[-1]}))
    process.terminate()


main()
