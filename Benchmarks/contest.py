# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0

"""What a comparison of locks is made of: programs that answer lines, the commands to compare with, the peers."""

import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from fleet import PROGRAMS, ROOT, Monitor, until

HERE = Path(__file__).resolve().parent
LOCK_BENCH = PROGRAMS / "lock-bench"
# With ":00" behind it as long as "bench:" with redis-benchmark's twelve digits.
NAME = "bench:000000000"
# What the peers in Python need.
PACKAGES = {"valkey": "valkey==6.2.0", "redis_lock": "python-redis-lock==4.0.1"}


class Program:
    """A process that says it is ready, and then answers each line with numbers."""

    def __init__(self, processes, arguments, ready):
        self.processes = processes
        self.name = " ".join([Path(arguments[0]).name, *map(str, arguments[1:])])
        self.process = processes.start(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if ready and self.process.stdout.readline().strip() != ready:
            raise SystemExit(f"bench: did not start: {self.name}")

    def tell(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self):
        words = self.process.stdout.readline().split()
        if not words:
            raise SystemExit(f"bench: ended too early: {self.name}")
        return [int(word) for word in words]

    def ask(self, line):
        self.tell(line)
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        self.processes.stop(self.process)


class Bench:
    """Where everything is, and how each side is started."""

    def __init__(self, processes, folder, server):
        if not LOCK_BENCH.exists():
            raise SystemExit(f"bench: {LOCK_BENCH} is not built: make bench builds it")
        self.processes, self.folder, self.server = processes, folder, server
        self.url = f"valkey://127.0.0.1:{server.port}"
        self.python = python()

    def started(self, *arguments, ready="ready"):
        return Program(self.processes, arguments, ready)

    def ours(self, mode, *options, name=NAME, url=None):
        return self.started(LOCK_BENCH, mode, url or self.url, "--name", name, *options)

    def theirs(self, library, mode):
        return self.started(self.python, HERE / "peers/locks.py", library, self.server.port, mode)

    def stop(self, *programs):
        for program in programs:
            program.stop()

    def compiled(self, name, library):
        program = f"{self.folder}/{name}"
        compiler = next((path for path in map(shutil.which, ("cc", "gcc", "clang")) if path), "cc")
        subprocess.run([compiler, "-O2", "-o", program, HERE / f"peers/{name}.c", f"-l{library}"], check=True)
        return program

    def captured(self, program, name):
        """The two commands of one of the program's pairs, as the server sees them, in a file for peers/commands.c."""
        monitor = Monitor(self.server)
        time.sleep(0.1)
        program.ask(2)
        until(lambda: sum(b'"EVALSHA"' in line for line in monitor.lines) == 4, "two commands a pair")
        monitor.close()
        lines = [line.decode() for line in monitor.lines if b'"EVALSHA"' in line][-2:]
        commands = [re.findall(r'"((?:[^"\\]|\\.)*)"', line) for line in lines]
        token = commands[1][3 + int(commands[1][2])]
        microseconds = time.time() * 1e6

        def general(argument):
            if "\\" in argument:
                raise SystemExit("bench: a command with bytes that the peer cannot read")
            if argument == token:
                return "TOKEN"
            # A request that counts until a second from now: until for ever.
            if argument.isdigit() and microseconds < int(argument) < microseconds + 60e6:
                return "9" * len(argument)
            return argument.replace(f"{name}:00", f"{name}:@@")

        path = Path(self.folder) / name
        path.write_text("".join(
            f"{len(command)}\n" + "".join(f"{general(argument)}\n" for argument in command) for command in commands))
        return path


def read_commands(path):
    lines = path.read_text().split("\n")
    while lines[0]:
        count = int(lines[0])
        yield lines[1:1 + count]
        lines = lines[1 + count:]


class Flood:
    """redis-benchmark (or valkey-benchmark), asked as if it were a program of ours; README.md says what is fair."""

    COUNT = 10_000

    def __init__(self, server, file, depth):
        self.server, self.depth = server, str(depth)
        self.program = server.cli.replace("-cli", "-benchmark")
        self.name = Path(self.program).name
        self.token = "0" * 32
        self.acquire, self.release = (
            [part.replace("TOKEN", self.token).replace(f"{NAME}:@@", "bench:__rand_int__") for part in command]
            for command in read_commands(file))
        # Over after a millisecond: who draws this lock again finds its fence, and no holder.
        self.acquire[self.acquire.index("10000")] = "1"
        self.flood(self.acquire, self.COUNT * 5, self.COUNT)

    def ask(self, pairs):
        acquires = self.flood(self.acquire, self.COUNT, self.COUNT)
        # Ten times as many locks as are released: few are drawn twice.
        self.server.ask(
            "EVAL", "for i = 0, tonumber(ARGV[1]) - 1 do"
            " redis.call('SET', string.format('bench:%012d', i), ARGV[2], 'PX', 600000) end",
            "0", str(self.COUNT * 10), self.token)
        releases = self.flood(self.release, self.COUNT, self.COUNT * 10)
        self.server.ask("EVAL", "for i = 0, tonumber(ARGV[1]) - 1 do"
                        " redis.call('DEL', string.format('bench:%012d', i)) end", "0", str(self.COUNT * 10))
        return (1 / acquires + 1 / releases) * pairs * 1e9, 0

    def flood(self, command, count, keys):
        """Commands a second."""
        output = subprocess.run(
            [self.program, "-p", str(self.server.port), "-P", self.depth, "-c", "1", "-n", str(count),
             "-r", str(keys), "--csv", *command], capture_output=True, text=True, check=True).stdout
        return float(output.splitlines()[-1].split('","')[1])


class LeastTimeToLive:
    """Watches what is left to many locks, ten times a second, until it is stopped."""

    def __init__(self, server, name, count):
        self.request = (
            "local least = 1e9 for i = 0, tonumber(ARGV[1]) - 1 do least = math.min(least,"
            " redis.call('PTTL', string.format(ARGV[2] .. ':%05d', i))) end return least", "0", str(count), name)
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.seen = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        words = ["EVAL", *self.request]
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        lines = self.socket.makefile("r")
        while not self.over.wait(0.1):
            self.socket.sendall(request.encode())
            self.seen.append(int(lines.readline()[1:]))

    def stop(self):
        """The least there was, in milliseconds; below zero: a lock was gone."""
        self.over.set()
        self.thread.join()
        self.socket.close()
        return min(self.seen)


def python():
    """A Python that has the peers: the one of the tests, or one that is made here."""
    check = "import " + ", ".join(PACKAGES)
    for folder in (ROOT / ".build/python", ROOT / ".build/bench-python"):
        program = folder / "bin/python"
        if program.exists() and subprocess.run([program, "-c", check], stderr=subprocess.DEVNULL).returncode == 0:
            return program
    subprocess.run(["python3", "-m", "venv", folder], check=True)
    subprocess.run([program, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *PACKAGES.values()],
                   check=True)
    return program
