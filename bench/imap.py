"""Times IMAP commands against any server: `imap.py STEP --port N --user U --password P [--messages N] [--runs N]`.

Prints one JSON object: for each row the values of all runs (milliseconds, or things per second where the name says so), and
under "units" how much came back, so that a fast wrong answer shows. Standard library only.

Steps: populate, cold (the server was just started), warm, write, folders, resync; million and opened (`--pid N`), lone, paced.
"""

import argparse
import json
import os
import random
import re
import socket
import threading
import time

NOW = time.perf_counter
BIG = b"bench"


def vocabulary():
    chance = random.Random(5)
    syllables = [c + v for c in "bcdfghklmnprstvw" for v in "aeiou"]
    return ["".join(chance.choice(syllables) for _ in range(chance.randint(2, 4))) for _ in range(4000)]


VOCABULARY = vocabulary()
RANKS = [1.0 / (rank + 3) for rank in range(len(VOCABULARY))]


def message(number, chance, lines):
    """About 4 KB: a text and an HTML alternative. Each 1000th has a rare word in its subject, another each 1000th in its text."""
    subject = " ".join(chance.choices(VOCABULARY, RANKS, k=5)) + (" xylophone" if number % 1000 == 5 else "")
    thread = number - number % 5
    refers = f"References: <m{thread}@bench.test>\r\nIn-Reply-To: <m{thread}@bench.test>\r\n" if number % 5 else ""
    again = "Re: " if number % 5 else ""
    day, hour = 1 + number % 28, number % 24
    rare = " quetzal" if number % 1000 == 9 else ""
    start = chance.randrange(len(lines) - 60)
    text = "\r\n".join(lines[start : start + 22])
    html = "".join(f"<p>{line}</p>\r\n" for line in lines[start : start + 20])
    return (
        f"Return-Path: <user{number % 300}@sender.test>\r\n"
        f"Received: from mx.sender.test (mx.sender.test [192.0.2.{number % 250}]) by bench.test with ESMTP id q{number};\r\n"
        f"\tMon, {day} Jan 2026 {hour:02}:00:00 +0000\r\n"
        f"From: Some Sender {number % 300} <user{number % 300}@sender.test>\r\nTo: Reader <reader@bench.test>\r\n"
        f"Cc: other{number % 17}@bench.test, third{number % 11}@bench.test\r\n"
        f"Subject: {again}{subject} {thread}\r\nDate: Mon, {day} Jan 2026 {hour:02}:{number % 60:02}:00 +0000\r\n"
        f"Message-ID: <m{number}@bench.test>\r\n{refers}MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative; boundary="b{number}"\r\n\r\n'
        f"--b{number}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}{rare}\r\n"
        f"--b{number}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b{number}--\r\n"
    ).encode()


def text_lines():
    chance = random.Random(9)
    return [" ".join(chance.choices(VOCABULARY, RANKS, k=12)) for _ in range(3000)]


class Imap:
    def __init__(self, opts, login=True):
        self.s = socket.create_connection(("127.0.0.1", opts.port), 600)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.n = 0
        self.buf = bytearray(1 << 20)
        self.line()
        self.caps = b""
        if login:
            self.login_ms = self.login(opts)

    def login(self, opts):
        dt, _ = self.cmd(b'LOGIN "%s" "%s"' % (opts.user.encode(), opts.password.encode()))
        self.caps = self.cmd(b"CAPABILITY")[1].upper()
        return dt

    def has(self, word):
        return re.search(rb" " + re.escape(word) + rb"[ \r]", self.caps) is not None

    def line(self):
        data = b""
        while not data.endswith(b"\r\n"):
            got = self.s.recv(1)
            if not got:
                raise ConnectionError("closed")
            data += got
        return data

    def read(self, tag, keep):
        """Until the tagged answer; only its size and the last of it when nobody wants the rest."""
        parts, tail, size = [], b"", 0
        view = memoryview(self.buf)
        while True:
            got = self.s.recv_into(self.buf)
            if not got:
                raise ConnectionError("closed: %r" % tail[-200:])
            size += got
            if keep:
                parts.append(bytes(view[:got]))
            tail = (tail + bytes(view[max(0, got - 4096) : got]))[-4096:]
            if tail.endswith(b"\r\n"):
                start = tail.rfind(b"\r\n", 0, len(tail) - 2)
                last = tail[start + 2 :] if start >= 0 else tail
                if last.startswith(tag + b" "):
                    return b"".join(parts), last, size

    def cmd(self, line, keep=True):
        """Milliseconds and the answer (its size when not kept); an error unless it is OK."""
        self.n += 1
        tag = b"z%d" % self.n
        t = NOW()
        self.s.sendall(tag + b" " + line + b"\r\n")
        data, last, size = self.read(tag, keep)
        dt = (NOW() - t) * 1e3
        if not last.startswith(tag + b" OK"):
            raise RuntimeError(f"{line[:80]!r}: {last[:200]!r}")
        return dt, data if keep else size

    def pipelined(self, lines):
        t = NOW()
        tags = []
        for line in lines:
            self.n += 1
            tags.append(b"z%d" % self.n)
        self.s.sendall(b"".join(tag + b" " + line + b"\r\n" for tag, line in zip(tags, lines)))
        data, _, _ = self.read(tags[-1], True)
        return (NOW() - t) * 1e3, data

    def close(self):
        self.s.close()


class Rows:
    def __init__(self):
        self.rows, self.units = {}, {}

    def add(self, name, value, units=None):
        self.rows.setdefault(name, []).append(round(value, 3))
        if units is not None:
            self.units[name] = units

    def timed(self, c, name, line, runs, pattern=None):
        c.cmd(line, keep=False)  # once unmeasured: warm
        for _ in range(runs):
            self.add(name, c.cmd(line, keep=False)[0])
        if pattern:
            self.units[name] = len(re.findall(pattern, c.cmd(line)[1]))


FETCHED = rb"(?:^|\r\n)\* \d+ FETCH"


def hits(data):
    return sum(len(found.split()) for found in re.findall(rb"\* (?:SEARCH|SORT)([ \d]*)", data))


def populate(opts, rows):
    c = Imap(opts)
    c.cmd(b"CREATE " + BIG)
    chance, lines = random.Random(1), text_lines()
    messages = [message(n, chance, lines) for n in range(min(opts.messages, 50000))]
    spent, done = 0.0, 0
    while done < opts.messages:
        parts = []
        for n in range(done, min(done + 250, opts.messages)):
            body = messages[n % len(messages)]
            flags = b"\\Seen" if n % 10 < 9 else b""
            parts.append((flags, body))
        if c.has(b"MULTIAPPEND"):
            line = b"APPEND " + BIG + b"".join(b" (%s) {%d+}\r\n%s" % (f, len(b), b) for f, b in parts)
            spent += c.cmd(line, keep=False)[0]
        else:
            spent += c.pipelined([b"APPEND %s (%s) {%d+}\r\n%s" % (BIG, f, len(b), b) for f, b in parts])[0]
        done += len(parts)
    rows.add("import_per_s", done / spent * 1e3, done)
    c.close()


def cold(opts, rows):
    c = Imap(opts, login=False)
    rows.add("login_first", c.login(opts))
    dt, data = c.cmd(b"SELECT " + BIG)
    rows.add("select_cold", dt, int(re.search(rb"\* (\d+) EXISTS", data)[1]))
    c.close()
    c = Imap(opts)
    rows.add("login_again", c.login_ms)
    c.close()


def warm(opts, rows):
    c = Imap(opts)
    c.cmd(b"SELECT " + BIG)
    holder = c
    for _ in range(opts.runs):
        c = Imap(opts)
        rows.add("login_again", c.login_ms)
        rows.add("select_warm", c.cmd(b"SELECT " + BIG)[0])
        c.close()
    c = holder
    rows.timed(c, "fetch_flags", b"FETCH 1:* (FLAGS)", opts.runs, FETCHED)
    rows.timed(c, "fetch_uid_flags_size", b"FETCH 1:* (UID FLAGS RFC822.SIZE)", opts.runs, FETCHED)
    rows.add("envelope_first", c.cmd(b"FETCH 1:* (ENVELOPE)", keep=False)[0])
    rows.timed(c, "fetch_envelope", b"FETCH 1:* (ENVELOPE)", opts.runs, FETCHED)
    rows.timed(c, "fetch_bodystructure", b"FETCH 1:* (BODYSTRUCTURE)", opts.runs, FETCHED)
    for run in range(opts.runs):
        low = 1 + run * 1000 % max(opts.messages - 1000, 1)
        rows.add("bodies_1000", c.cmd(b"FETCH %d:%d (BODY.PEEK[])" % (low, low + 999), keep=False)[0])
    searches = [
        ("search_unseen", b"SEARCH UNSEEN"),
        ("search_subject", b"SEARCH SUBJECT xylophone"),
        ("search_body", b"SEARCH BODY quetzal"),
        ("search_text", b"SEARCH TEXT quetzal"),
    ]
    if c.has(b"SORT"):
        searches.append(("sort", b"SORT (REVERSE DATE) UTF-8 ALL"))
        searches.append(("sort_subject", b"SORT (SUBJECT) UTF-8 ALL"))
    for name, line in searches:
        rows.timed(c, name, line, opts.runs)
        rows.units[name] = hits(c.cmd(line)[1])
    if c.has(b"THREAD=REFERENCES"):
        rows.timed(c, "thread", b"THREAD REFERENCES UTF-8 ALL", opts.runs)
    c.close()


def write(opts, rows):
    c = Imap(opts)
    c.cmd(b"SELECT " + BIG)
    for run in range(opts.runs):
        sign = b"+" if run % 2 == 0 else b"-"
        rows.add("store_all", c.cmd(b"STORE 1:* %sFLAGS.SILENT (\\Flagged)" % sign)[0])
    for run in range(opts.runs):
        sign = b"+" if run % 2 == 0 else b"-"
        t = NOW()
        for n in range(100):
            c.cmd(b"STORE %d %sFLAGS (\\Answered)" % (1 + n * 97 % opts.messages, sign))
        rows.add("store_lone_per_s", 100 / (NOW() - t))
    chance, lines = random.Random(2), text_lines()
    c.cmd(b"CREATE appended")
    for run in range(opts.runs):
        bodies = [message(n, chance, lines) for n in range(200)]
        t = NOW()
        for body in bodies:
            c.cmd(b"APPEND appended (\\Seen) {%d+}\r\n%s" % (len(body), body))
        rows.add("append_per_s", 200 / (NOW() - t))
    for run in range(opts.runs):
        sessions = [Imap(opts) for _ in range(10)]
        bodies = [message(n, chance, lines) for n in range(1000)]

        def work(at):
            for body in bodies[at::10]:
                sessions[at].cmd(b"APPEND appended (\\Seen) {%d+}\r\n%s" % (len(body), body))

        threads = [threading.Thread(target=work, args=(at,)) for at in range(10)]
        t = NOW()
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        rows.add("append_ten_per_s", 1000 / (NOW() - t))
        [session.close() for session in sessions]
    moved = min(10000, opts.messages // 2)
    c.cmd(b"CREATE moved")
    for run in range(max(opts.runs // 2, 1)):
        rows.add("move_10000", c.cmd(b"MOVE 1:%d moved" % moved, keep=False)[0], moved)
        c.cmd(b"SELECT moved", keep=False)
        rows.add("move_10000", c.cmd(b"MOVE 1:%d %s" % (moved, BIG), keep=False)[0], moved)
        c.cmd(b"SELECT " + BIG, keep=False)
    c.close()


def folders(opts, rows):
    c = Imap(opts)
    chance, lines = random.Random(3), text_lines()
    for n in range(200):
        c.cmd(b"CREATE f%03d" % n)
        bodies = [message(at, chance, lines) for at in range(3)]
        c.pipelined([b"APPEND f%03d (%s) {%d+}\r\n%s" % (n, b"\\Seen" if at else b"", len(b), b) for at, b in enumerate(bodies)])
    items = b"(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"
    c.pipelined([b"STATUS f%03d %s" % (n, items) for n in range(200)])
    for _ in range(opts.runs):
        dt, data = c.pipelined([b"STATUS f%03d %s" % (n, items) for n in range(200)])
        rows.add("status_200", dt, data.count(b"* STATUS"))
    if c.has(b"LIST-STATUS"):
        for _ in range(opts.runs):
            dt, data = c.cmd(b'LIST "" "f*" RETURN (STATUS %s)' % items)
            rows.add("list_status_200", dt, data.count(b"* STATUS"))
    c.close()


def resync(opts, rows):
    """What a client misses in a day: 300 flags, 50 messages gone, 50 new."""
    c = Imap(opts)
    if not c.has(b"QRESYNC"):
        return
    c.cmd(b"ENABLE QRESYNC")
    _, data = c.cmd(b"SELECT " + BIG)
    validity = re.search(rb"UIDVALIDITY (\d+)", data)[1]
    modseq = re.search(rb"HIGHESTMODSEQ (\d+)", data)[1]
    c.cmd(b"STORE 100:399 +FLAGS.SILENT ($Day)")
    c.cmd(b"STORE 1000:1049 +FLAGS.SILENT (\\Deleted)")
    c.cmd(b"EXPUNGE", keep=False)
    chance, lines = random.Random(4), text_lines()
    bodies = [message(n, chance, lines) for n in range(50)]
    c.pipelined([b"APPEND %s {%d+}\r\n%s" % (BIG, len(b), b) for b in bodies])
    for _ in range(opts.runs):
        c.cmd(b"UNSELECT")
        dt, data = c.cmd(b"SELECT %s (QRESYNC (%s %s))" % (BIG, validity, modseq))
        rows.add("qresync", dt, len(re.findall(FETCHED, data)))
    c.close()


def million(opts, rows):
    """Very many very small messages, as fast as they are taken."""
    c = Imap(opts)
    c.cmd(b"CREATE " + BIG)
    done = 0
    while done < opts.messages:
        count = min(500, opts.messages - done)
        bodies = [b"From: <a%d@x.test>\r\nSubject: number %d\r\n\r\nhello\r\n" % (n % 97, n) for n in range(done, done + count)]
        c.cmd(b"APPEND " + BIG + b"".join(b" (%s) {%d+}\r\n%s" % (b"\\Seen" if n % 10 else b"", len(b), b) for n, b in enumerate(bodies)), keep=False)
        done += count
    c.close()


def mib(pid, field):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024


def cpu_ms(pid):
    """Processor time of all threads."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as stat:
            total += int(stat.read().split()[0])
    return total / 1e6


def opened(opts, rows):
    """Opens a mailbox that nobody had open since the start, and reads all of its flags. Memory is the server's, beyond what it had."""
    c = Imap(opts)
    before, spent = mib(opts.pid, "VmRSS"), cpu_ms(opts.pid)
    dt, data = c.cmd(b"SELECT " + BIG)
    rows.add("open_ms", dt, int(re.search(rb"\* (\d+) EXISTS", data)[1]))
    rows.add("open_cpu_ms", cpu_ms(opts.pid) - spent)
    rows.add("open_mib", mib(opts.pid, "VmRSS") - before)
    t = NOW()
    c.s.sendall(b"first FETCH 1:* (FLAGS)\r\n")
    c.s.recv(1, socket.MSG_PEEK)
    rows.add("flags_first_ms", (NOW() - t) * 1e3)
    _, last, size = c.read(b"first", False)
    assert last.startswith(b"first OK"), last
    rows.add("flags_ms", (NOW() - t) * 1e3, size)
    rows.add("flags_mib", mib(opts.pid, "VmHWM") - before)
    c.close()


def lone(opts, rows):
    """One STORE after the other, each answered before the next."""
    c = Imap(opts)
    c.cmd(b"SELECT " + BIG)
    for n in range(opts.runs):
        c.cmd(b"STORE %d +FLAGS (\\Flagged)" % (n + 1))
        time.sleep(0.005)
    c.close()


def paced(opts, rows):
    """A hundred messages a second."""
    c = Imap(opts)
    c.cmd(b"CREATE paced")
    chance, lines = random.Random(6), text_lines()
    begun = NOW()
    for n in range(opts.messages):
        body = message(n, chance, lines)
        c.cmd(b"APPEND paced {%d+}\r\n%s" % (len(body), body))
        time.sleep(max(0, begun + (n + 1) / 100 - NOW()))
    c.close()


STEPS = [populate, cold, warm, write, folders, resync, million, opened, lone, paced]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("step")
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--user", required=True)
    p.add_argument("--password", required=True)
    p.add_argument("--messages", type=int, default=50000)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--pid", type=int, default=0)
    opts = p.parse_args()
    rows = Rows()
    next(step for step in STEPS if step.__name__ == opts.step)(opts, rows)
    print(json.dumps({"rows": rows.rows, "units": rows.units}))


main()
