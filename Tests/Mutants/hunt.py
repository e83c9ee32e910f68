# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0
"""Switches mutations on, one at a time, and has the simulation run until it notices.

A world that goes wrong counts only if it goes well without the mutation.

    hunt.py [--seconds S] [--plain S] [--seed N] [--jobs J] [--markdown FILE] [--sample | NAME…]

Without names: all of them. First of all the same program runs without any mutation, for the seconds of --plain, and has to find
nothing. The seeds are N and those after it, else others for each version that is checked out; each mutation has S seconds of
processor time. Exit code 1: one was not noticed, or a world went wrong without any.
"""

import argparse
import concurrent.futures
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile

import mutants

# One each of the store, the lease, the job and the keeper, noticed within moments.
SAMPLE = [
    "guard-off", "lease-from-the-reply", "stop-gives-the-lock-back", "end-told-before-the-tree-is-empty"]

PROGRAM = mutants.PACKAGE / ".build" / "release" / "baton-simulate"


def simulate(names, seed, seconds=0):
    """One campaign (without seconds: one world): what went wrong, what the program said, and its processor time."""
    environment = dict(os.environ, BATON_MUTATIONS=",".join(names))
    command = [PROGRAM, "--seed", str(seed), "--no-shrink"]
    if seconds:
        command += ["--seconds", f"{seconds:.3f}"]
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        # A world that never ends is one that went wrong.
        limit = int(2 * seconds) + 60
        child = subprocess.Popen(
            command, env=environment, stdout=said, stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    took = usage.ru_utime + usage.ru_stime
    if child.returncode == 0:
        return None, text, took
    found = re.search(r"^seed \d+: (.*)$", text, re.M)
    if child.returncode == 1 and found:
        return found[1], text, took
    if -child.returncode in (signal.SIGXCPU, signal.SIGKILL):
        return "never ends", text, took
    # A trap: the code's own assertion.
    fatal = re.search(r"Fatal error: (.*)$", text, re.M)
    return f"crashes: {fatal[1] if fatal else child.returncode}", text, took


def count(pattern, said):
    found = re.search(pattern, said)
    return int(found[1]) if found else 0


def hunt(mutation, seed, seconds):
    """What was noticed (None: nothing) and in which world; after so many worlds, machine events and seconds."""
    worlds = events = 0
    used = 0.0
    while used < seconds:
        what, said, took = simulate([mutation.name, *mutation.company], seed + worlds, seconds - used)
        used += took
        worlds += count(r"(\d+) worlds", said) or 1
        events += count(r"(\d+) machine events", said)
        # Wrong without it as well: that one proves nothing.
        if what and not simulate([], seed + worlds - 1)[0]:
            return what, seed + worlds - 1, worlds, events, used
    return None, None, worlds, events, used


def kind(what):
    """What was noticed, without the names of this one world."""
    what = re.sub(r"(node|job) \d+", r"\1", what)
    what = re.sub(r"\br\d+\b", "a run", what)
    return re.sub(r"-?[\d.]+(e-?\d+)?( seconds)?", "…", what)[:90]


def seed_of_this_version():
    """Other worlds for each change, and the same for whoever tries the same one again."""
    command = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD^{tree}"]
    tree = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return int(tree[:10], 16) if tree else random.randrange(1_000_000_000)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--plain", type=float, default=20)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", help="write the table to this file")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    mutations = mutants.read_all()
    if options.sample:
        options.names = SAMPLE
    unknown = [name for name in options.names if name not in mutations]
    if unknown:
        sys.exit(f"mutants: there is no mutation {', '.join(unknown)}")
    hunted = [mutations[name] for name in options.names] or [
        mutation for mutation in mutations.values() if "aid" not in mutation.fields]
    seed = options.seed if options.seed is not None else seed_of_this_version()
    print(f"mutants: {len(hunted)} mutations, each for {options.seconds:g} s at most; the first seed is {seed}", flush=True)

    ill = 0
    what, said, took = simulate([], seed, options.plain)
    if what:
        print(f"mutants: without any mutation a world goes wrong: {what}\n{said[:2000]}")
        ill += 1
    else:
        print(f"mutants: without any mutation nothing goes wrong:\n{said}", flush=True)

    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        campaigns = {
            pool.submit(hunt, mutation, seed, options.seconds): mutation for mutation in hunted}
        for campaign in concurrent.futures.as_completed(campaigns):
            mutation = campaigns[campaign]
            what, found, worlds, events, took = campaign.result()
            ill += what is None
            rows.append((mutation, kind(what) if what else "NOT NOTICED", worlds, events, took))
            where = f"  (seed {found})" if what else ""
            print(
                f"{mutation.name:38} {took:6.1f} s {worlds:7} worlds {events:10} events  {rows[-1][1]}{where}", flush=True)
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write("| mutation | rule | noticed as | worlds | machine events | seconds |\n|---|---|---|---|---|---|\n")
            for mutation, noticed, worlds, events, took in sorted(rows, key=lambda row: row[0].name):
                name = " + ".join([mutation.name, *mutation.company])
                file.write(f"| {name} | {mutation.fields['rule']} | {noticed} | {worlds} | {events} | {took:.1f} |\n")
    return 1 if ill else 0


if __name__ == "__main__":
    sys.exit(main())
