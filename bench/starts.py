#!/usr/bin/env python3
"""How long a start takes: from exec to the first banner, and the processor time until then.

    bench/starts.py PROGRAM [PROGRAM...] [--starts 20] [--fresh] [--users N] [--dir DIR] [--serve]

The programs take turns. Without --fresh they start on a directory that is there already (made by the first start, which is not counted).
--serve starts `serve --config` on settings with three doors instead of `demo`. Prints medians and lower quartiles:
busy neighbours only ever add.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

SETTINGS = """
data_dir = "{dir}/data"
hostname = "mail.example.test"
domains = ["example.test"]
[process]
user = "root"
[doors]
lmtp = ["127.0.0.1:{port}"]
submissions = ["127.0.0.1:{next}"]
imaps = ["127.0.0.1:{last}"]
[tls]
certificate = "{tls}/server.pem"
key = "{tls}/server.key"
[dns]
servers = ["127.0.0.1:53"]
[log]
stderr = "off"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_ms(pid):
    """Of all threads, and of the processes that it started."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
            children = (task / "children").read_text().split()
        except OSError:
            continue  # it ended meanwhile
        total += sum(cpu_ms(int(child)) * 1e6 for child in children)
    return total / 1e6


def first_banner(port, running):
    while running.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as talk:
                if talk.recv(4) == b"220 ":
                    return
        except OSError:
            time.sleep(0.0005)
    raise SystemExit("it ended before its doors were open")


def start(command, port):
    began = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    first_banner(port, running)
    wall = (time.monotonic() - began) * 1e3
    cpu = cpu_ms(running.pid)
    time.sleep(0.3)
    running.send_signal(signal.SIGTERM)
    running.wait()
    return wall, cpu


def demo(program, at, options):
    """Its command and the port of its SMTP door, which it takes again at every start."""
    command = [program, "demo", "--dir", str(at), "--json", "--users", str(options.users)]
    state = at / "demo.json"
    if not state.exists():
        running = subprocess.Popen(command, stdout=subprocess.PIPE)
        running.stdout.readline()
        time.sleep(2)  # its keys that sign mail are made after the doors are open
        running.send_signal(signal.SIGTERM)
        running.wait()
    return command, json.loads(state.read_text())["ports"]["smtp"]


def serve(program, at, options):
    """The same for a server with settings; its certificate is one of a demo's."""
    settings = at / "hearthpost.toml"
    if not settings.exists():
        demo(program, at / "tls", options)
        ports = [free_port() for _ in range(3)]
        text = SETTINGS.format(dir=at, tls=at / "tls", port=ports[0], next=ports[1], last=ports[2])
        settings.write_text(text)
        (at / "port").write_text(str(ports[0]))
        start([program, "serve", "--config", str(settings)], ports[0])
    return [program, "serve", "--config", str(settings)], int((at / "port").read_text())


def first_start(program, at, _options):
    """Until the line of JSON: nobody knows the ports before."""
    shutil.rmtree(at, ignore_errors=True)
    command = [program, "demo", "--dir", str(at), "--json"]
    began = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    running.stdout.readline()
    wall = (time.monotonic() - began) * 1e3
    cpu = cpu_ms(running.pid)
    running.kill()
    running.wait()
    return wall, cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--dir", type=pathlib.Path)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    base = options.dir or pathlib.Path(tempfile.mkdtemp(prefix="starts-"))
    measured = {program: [] for program in options.programs}
    for turn in range(options.starts):
        for number, program in enumerate(options.programs):
            at = base / str(number)
            at.mkdir(parents=True, exist_ok=True)
            if options.fresh:
                measured[program].append(first_start(program, at, options))
                continue
            command, port = (serve if options.serve else demo)(program, at, options)
            measured[program].append(start(command, port))
    for program, turns in measured.items():
        wall, cpu = zip(*turns)
        quartile = lambda of: statistics.quantiles(of, n=4)[0] if len(of) > 1 else of[0]
        print(
            f"{os.path.basename(program)}: wall {statistics.median(wall):.1f} ms (lower quartile {quartile(wall):.1f}), "
            f"processor {statistics.median(cpu):.1f} ms (lower quartile {quartile(cpu):.1f}), {len(turns)} starts"
        )


if __name__ == "__main__":
    main()
