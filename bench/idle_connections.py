"""idle_connections.py imap|imaps PORT PASSWORD COUNT SECONDS PID [idle]: KiB of RSS that each signed-in idle connection adds.

With `idle` each also selects its INBOX and says IDLE. The clients are spread over several processes; RSS of the server is read before, and after SECONDS of idleness;
cpu_s is the processor time it took in these."""

import json
import multiprocessing
import os
import resource
import socket
import ssl
import sys
import time

WORKERS = 5


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def cpu_s(pid):
    """Seconds of processor time of all threads."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                total += int(stat.read().split()[0])
        except FileNotFoundError:
            pass  # it ended meanwhile
    return total / 1e9


def command(connection, tag, line, until):
    """Sends a line and reads until a line starts with `until`."""
    connection.sendall(f"{tag} {line}\r\n".encode())
    data = b""
    while not any(line.startswith(until) for line in data.split(b"\r\n")) or not data.endswith(b"\r\n"):
        more = connection.recv(4096)
        assert more, "closed"
        data += more


def worker(door, port, password, idle, numbers, ready, leave):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connections = []
    for number in numbers:
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        if door == "imaps":
            connection = context.wrap_socket(connection, server_hostname="localhost")
        data = b""
        while b"\r\n" not in data:
            data += connection.recv(4096)
        command(connection, "a", f'LOGIN "user{number % 100}@example.test" "{password}"', b"a OK")
        if idle:
            command(connection, "b", "SELECT INBOX", b"b OK")
            command(connection, "c", "IDLE", b"+")
        connections.append(connection)
    ready.release()
    leave.wait()
    for connection in connections:
        connection.settimeout(5)
        try:
            connection.sendall(b"DONE\r\n" if idle else b"d NOOP\r\n")
            assert b" OK" in connection.recv(4096)
        except OSError as error:
            raise SystemExit(f"an idle connection had gone: {error}")
        connection.close()


def main():
    door, port, password, count, seconds, pid = sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:7])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = rss_kib(pid)
    ready, leave = multiprocessing.Semaphore(0), multiprocessing.Event()
    shares = [range(at, count, WORKERS) for at in range(WORKERS)]
    arguments = (door, port, password, sys.argv[7:] == ["idle"])
    workers = [multiprocessing.Process(target=worker, args=(*arguments, share, ready, leave)) for share in shares]
    for process in workers:
        process.start()
    for _ in workers:
        while not ready.acquire(timeout=1):
            assert all(process.exitcode in (None, 0) for process in workers), "a client failed"
    used = cpu_s(pid)
    time.sleep(seconds)
    after, used = rss_kib(pid), cpu_s(pid) - used
    leave.set()
    for process in workers:
        process.join()
        assert process.exitcode == 0, "a client failed"
    print(json.dumps({"count": count, "before_kib": before, "after_kib": after, "kib_each": (after - before) / max(count, 1), "cpu_s": used}))


main()
