# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0

"""What the benchmark is made of: a server, nodes, a service manager that is played, and the server's own stamps."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(os.environ.get("BATON_PROGRAMS", ROOT / ".build/release"))
BATOND = PROGRAMS / "batond"


def now():
    """CLOCK_BOOTTIME in seconds: what the workloads stamp their lines with."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def until(condition, what, seconds=40, pause=0.02):
    """The condition's value once it is true; a failure of the benchmark when it does not come true in time."""
    deadline = now() + seconds
    while now() < deadline:
        if value := condition():
            return value
        time.sleep(pause)
    raise SystemExit(f"bench: gave up waiting for {what}")


class Processes:
    """Everything that was started, to be ended by pid, the newest first."""

    def __init__(self):
        self.all = []

    def start(self, arguments, **options):
        process = subprocess.Popen([str(a) for a in arguments], start_new_session=True, **options)
        self.all.append(process)
        return process

    def stop(self, process, patience=15):
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self.all:
            self.all.remove(process)

    def stop_all(self):
        for process in reversed(list(self.all)):
            self.stop(process)


class Server:
    """A real server on loopback, with nothing on disk."""

    def __init__(self, processes, folder):
        for name in ("valkey", "redis"):
            program, self.cli = shutil.which(f"{name}-server"), shutil.which(f"{name}-cli")
            if program and self.cli:
                break
        else:
            raise SystemExit("bench: no valkey-server (or redis-server) with its cli on PATH")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.name = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split(" sha")[0]
        processes.start(
            [program, "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL)
        until(lambda: self.ask("PING") == "PONG", "the server")

    def ask(self, *words):
        command = [self.cli, "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()


class Monitor:
    """The server's own log of commands, with its stamps in CLOCK_BOOTTIME."""

    def __init__(self, server):
        # The wall clock must not be set meanwhile: the distance is looked at again at the end.
        self.distance = self._distance()
        self.lines = []
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.sendall(b"MONITOR\r\n")
        threading.Thread(target=self._read, daemon=True).start()

    def _distance(self):
        return min(time.time() - now() for _ in range(100))

    def _read(self):
        for line in self.socket.makefile("rb"):
            self.lines.append(line)

    def stamps(self, *words):
        """When each command was carried out that has all these words."""
        if abs(self._distance() - self.distance) > 0.001:
            raise SystemExit("bench: the wall clock was set during the run")
        wanted = [word.encode() for word in words]
        found = [line for line in list(self.lines) if all(word in line for word in wanted)]
        return [float(line[1:].split(b" ", 1)[0]) - self.distance for line in found]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)


class ServiceManager:
    """The other end of sd_notify."""

    def __init__(self, path):
        self.path = str(path)
        Path(path).unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            message = self.socket.recv(8192)
            self.heard.append((now(), message.decode()))

    def when(self, word):
        return [at for at, message in list(self.heard) if word in message.split("\n")]


class Node:
    """One batond with folders of its own."""

    def __init__(self, processes, folder, name, server, prefix="bench", settings=""):
        self.processes, self.folder, self.name = processes, Path(folder) / name, name
        self.jobs = self.folder / "etc/jobs.d"
        self.jobs.mkdir(parents=True)
        self.process = None
        self.log = self.folder / "log"
        (self.folder / "etc/batond.toml").write_text(
            f'[store]\nurl = "valkey://127.0.0.1:{server.port}/0"\nprefix = "{prefix}"\n'
            f'max_lock_timeout = "15s"\n{settings}')

    def job(self, name, text):
        (self.jobs / f"{name}.toml").write_text(text)

    def start(self, watchdog=None):
        """Starts it; with a watchdog, in seconds, as systemd would. Returns the moment before the start."""
        environment = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
        self.manager = ServiceManager(self.folder / "notify")
        environment["NOTIFY_SOCKET"] = self.manager.path
        if watchdog:
            environment["WATCHDOG_USEC"] = str(watchdog * 1_000_000)
        begun = now()
        self.process = self.processes.start(
            [BATOND, "--config", self.folder / "etc/batond.toml", "--runtime-dir", self.folder / "run",
             "--state-dir", self.folder / "state", "--node", self.name],
            env=environment, stderr=open(self.log, "a"), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        until(lambda: self.manager.when("READY=1"), f"READY=1 of {self.name} (see {self.log})", pause=0.005)
        return begun

    def stop(self):
        self.processes.stop(self.process, patience=40)

    def crash(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.processes.all.remove(self.process)

    def keepers(self):
        """The pids of its keepers and guards."""
        return [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if (words := command_line(pid)) and words[0].endswith("/baton-keeper")
            and len(words) > 1 and words[1].startswith(str(self.folder))]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def status(pid, field):
    """A number of /proc/PID/status: kilobytes, or a count."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def processor_time(pid):
    """Seconds of processor that its threads have used, to the nanosecond."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
