# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0

"""The lock library beside its peers, round by round: ours, the peer, ours, the peer. `run` prints the table."""

import os
import random
import socket
import statistics
import sys
import tempfile
import time

from contest import LOCK_BENCH, NAME, Bench, Flood, LeastTimeToLive
from fleet import now

ROUNDS = 15
PAIRS = 1000
CROWD = 64
HANDOVERS = 60
MANY = 10_000


def in_turns(programs, pairs, rounds=ROUNDS):
    """Microseconds per pair: for each program a list, from rounds that alternate."""
    times, used = [[] for _ in programs], [[] for _ in programs]
    for program in programs:
        program.ask(pairs)
    for _ in range(rounds):
        for program, elapsed, processor in zip(programs, times, used):
            took, busy = program.ask(pairs)
            elapsed.append(took / pairs / 1000)
            processor.append(busy / pairs / 1000)
    for program, elapsed, processor in zip(programs, times, used):
        print(f"bench: {program.name}: {statistics.median(elapsed):.1f} µs a pair, "
              f"{statistics.median(processor):.1f} µs of processor", file=sys.stderr)
    return times


def uncontended(table, bench):
    """One pair after the other, beside the same commands in a bare C loop, and beside valkey-py."""
    other = NAME.replace("0", "1")
    on_store, ordinary = bench.ours("pairs", "--on-store", "true"), bench.ours("pairs")
    guarded = bench.ours("pairs", "--guarded", "true", "--timeout", "2", name=other)
    loop = bench.compiled("commands", "hiredis")
    bare = bench.started(loop, bench.server.port, bench.captured(ordinary, NAME), 1)
    bare_guarded = bench.started(loop, bench.server.port, bench.captured(guarded, other), 1)
    python = bench.theirs("valkey-py", "pairs")
    programs = [on_store, ordinary, guarded, bare, bare_guarded, python]
    first, second, third, plain, heavy, theirs = in_turns(programs, PAIRS)
    bench.stop(*programs)
    table.compare("acquire + release, a task on the store's executor", 1.15, first, plain, "µs", "hiredis")
    table.compare("the same, an ordinary task", 1.45, second, plain, "µs", "hiredis")
    table.compare("the same with the guard on", 1.6, third, heavy, "µs", "hiredis, guard on")
    table.compare("the same with the guard on", None, third, plain, "µs", "hiredis, guard off")
    table.compare("acquire + release, an ordinary task", 1, second, theirs, "µs", "valkey-py")


def crowd(table, bench):
    """64 tasks on 64 locks and one connection, beside redis-benchmark with 64 commands at a time."""
    one = bench.ours("pairs")
    commands = bench.captured(one, NAME)
    bench.stop(one)
    on_store, ordinary = (
        bench.ours("pairs", "--tasks", CROWD, "--on-store", where) for where in ("true", "false"))
    pipelined = bench.started(bench.compiled("commands", "hiredis"), bench.server.port, commands, CROWD)
    tool = Flood(bench.server, commands, CROWD)
    first, second, third, fourth = in_turns([on_store, ordinary, pipelined, tool], CROWD * 160)
    bench.stop(on_store, ordinary, pipelined)
    for where, times in (("tasks on the store's executor", first), ("ordinary tasks", second)):
        # Two commands a pair.
        ours, bare, flood = ([2000 / time for time in each] for each in (times, third, fourth))
        what = f"thousand commands a second, {CROWD} {where} on {CROWD} locks"
        table.compare(what, 0.7, ours, flood, "", tool.name, least=True)
        table.compare("the same", None, ours, bare, "", "hiredis, pipelined", least=True)


def handover(table, bench):
    """From the call of release in one process to the end of acquire in another; then the other way round."""
    both = {"Baton": [bench.ours("handover") for _ in range(2)]}
    for library in ("valkey-py", "python-redis-lock"):
        both[library] = [bench.theirs(library, "handover") for _ in range(2)]
    times = {library: [] for library in both}
    for holder, _ in both.values():
        holder.ask("acquire")
    for _ in range(HANDOVERS):
        for library, pair in both.items():
            holder, waiter = pair
            waiter.tell("acquire")
            # Long enough for it to wait; and anywhere between two tries of one that polls.
            time.sleep(random.uniform(0.1, 0.2))
            begun, _ = holder.ask("release")
            _, ended = waiter.answer()
            times[library].append((ended - begun) / 1e6)
            pair.reverse()
    bench.stop(*(program for pair in both.values() for program in pair))
    table.add("release to the end of a waiter's acquire, in another process", 0.8, times["Baton"], "ms", digits=2)
    for library in ("valkey-py", "python-redis-lock"):
        table.add(f"the same, {library}", None, times[library], "ms", digits=2)


def takeover(table, bench):
    """A holder that died, on a server that finds out late what has expired, because it has so much of it."""
    bench.server.ask("EVAL", "for i = 1, 50000 do redis.call('SET', 'k' .. i, '', 'PX', 600000 + i) end", "0")
    waiter = bench.ours("handover")
    command = f"*5\r\n$3\r\nSET\r\n${len(NAME) + 3}\r\n{NAME}:00\r\n$4\r\ndead\r\n$2\r\nPX\r\n$3\r\n300\r\n".encode()
    late = []
    with socket.create_connection(("127.0.0.1", bench.server.port)) as connection:
        for _ in range(HANDOVERS):
            begun = now()
            connection.sendall(command)
            connection.recv(16)
            _, ended = waiter.ask("acquire")
            late.append(ended / 1e6 - begun * 1000 - 300)
            waiter.ask("release")
    bench.stop(waiter)
    table.add("end of a dead holder's TTL to the end of a waiter's acquire, 50000 other keys expiring", 20, late, "ms")


def heartbeat(table, bench):
    """Ten thousand locks that are held, renewed by one process."""
    timeout, seconds, name = 15, 20, "bench:held"
    program = bench.started(
        LOCK_BENCH, "heartbeat", bench.url, "--name", name, "--timeout", timeout, "--seconds", seconds,
        "--count", MANY, ready="held")
    watch = LeastTimeToLive(bench.server, name, MANY)
    elapsed, processor, lost = program.answer()
    least = watch.stop()
    bench.stop(program)
    if lost or least < 0:
        raise SystemExit(f"bench: {lost} of {MANY} leases were lost")
    table.add(f"renewal of {MANY} held locks, timeout {timeout} s: processor", 3, [processor / elapsed * 100],
              "% of a core", digits=2)
    table.add("the same: longest time between renewals", timeout / 2, [timeout - least / 1000], "s", digits=2)


def memory(table, bench):
    """What ten thousand of a kind take, beyond ten thousand tasks that only wait."""

    def grown(what, name, seconds):
        program = bench.started(
            LOCK_BENCH, "memory", bench.url, "--name", name, "--what", what, "--seconds", seconds, "--timeout", 60,
            "--count", MANY, ready=None)
        (size,) = program.answer()
        bench.stop(program)
        bench.server.ask("FLUSHALL")
        return size / MANY / 1000

    bare = grown("bare", "bench:none", 1)
    held, renewed = grown("held", "bench:held", 1), grown("heartbeats", "bench:renewed", 25)
    bench.server.ask("SET", "bench:waited:00000", "somebody", "PX", "600000")
    waiting = grown("waiting", "bench:waited", 5)
    table.add("memory of a held lock", 2, [held], "kB", digits=2)
    table.add("memory of a task in withLock, with its renewal, beyond a bare task", 2, [renewed - bare], "kB", digits=2)
    table.add("memory of a task that waits for a lock, beyond a bare task", 1, [waiting - bare], "kB", digits=2)
    table.add("memory of a bare task", None, [bare], "kB", digits=2)


def database(table, bench):
    """The store in a file, beside its two transactions in C: on the disk, which both wait for once a pair, and without."""
    transactions = bench.compiled("transactions", "sqlite3")
    places = [("SQLite on a disk", bench.folder, 1.5, 20)]
    if os.access("/dev/shm", os.W_OK):
        places.append(("SQLite in /dev/shm", "/dev/shm", None, 500))
    for what, place, goal, pairs in places:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            # Each its own file, and each file made by Baton.
            bench.stop(bench.ours("pairs", url=f"sqlite:{folder}/peer"))
            ours = bench.ours("pairs", url=f"sqlite:{folder}/ours")
            on_store = bench.ours("pairs", "--on-store", "true", url=f"sqlite:{folder}/on-store")
            peer = bench.started(transactions, f"{folder}/peer")
            first, second, third = in_turns([ours, on_store, peer], pairs, rounds=3 * ROUNDS)
            bench.stop(ours, on_store, peer)
        table.compare(f"acquire + release, {what}", goal, first, third, "µs", "SQLite in C")
        table.compare("the same, a task on the store's executor", None, second, third, "µs", "SQLite in C")


PARTS = {"pairs": uncontended, "crowd": crowd, "handover": handover, "takeover": takeover, "heartbeat": heartbeat,
         "memory": memory, "sqlite": database}


def part(*names):
    """What `run` calls to measure these parts."""

    def measure(table, processes, folder, server):
        bench = Bench(processes, folder, server)
        for name in names:
            PARTS[name](table, bench)
            server.ask("FLUSHALL")

    return measure
