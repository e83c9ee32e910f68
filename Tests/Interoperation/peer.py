# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0

"""Uses the Lock of the PyPI package `valkey` for a test in Swift: peer.py PORT

A request is a line of JSON on standard input; each is answered, in turn, by a line on standard output, with a "value",
or with an "error" (the exception's class) and its "message". Bytes travel as {"hex": "..."}. Requests:

    {"make": "Lock" | "AsyncLock", "as": LABEL, "with": {name, timeout, ...}}    a lock, known by LABEL from then on
    {"call": METHOD, "on": LABEL, "with": {...}}                               e.g. acquire; without "on": of the client
    {"token": LABEL}                                                           what the lock believes to hold
    {"adopt": LABEL, "token": {"hex": ...}}                                    a token that another process acquired
    {"contend": THREADS, "rounds": N, "name": ..., "counter": ...}             many threads count under the lock
"""

import asyncio
import inspect
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import valkey
import valkey.asyncio
import valkey.asyncio.lock
import valkey.lock

PORT = int(sys.argv[1])

client = valkey.Valkey(port=PORT)
async_client = valkey.asyncio.Valkey(port=PORT)
loop = asyncio.new_event_loop()
locks = {}


def make(kind, options):
    if kind == "AsyncLock":
        return valkey.asyncio.lock.Lock(async_client, **options)
    return valkey.lock.Lock(client, **options)


def call(target, method, arguments):
    result = getattr(target, method)(**arguments)
    return loop.run_until_complete(result) if inspect.isawaitable(result) else result


def contend(threads, rounds, name, counter):
    """Each thread adds 1 `rounds` times, in two steps that only the lock keeps together."""

    def work():
        lock = valkey.lock.Lock(client, name, timeout=60, sleep=0.005)
        for _ in range(rounds):
            with lock:
                seen = int(client.get(counter) or 0)
                time.sleep(0.001)
                client.set(counter, seen + 1)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()


def answer(request):
    match request:
        case {"make": kind, "as": label, "with": options}:
            locks[label] = make(kind, options)
        case {"call": method, "on": label, "with": arguments}:
            return call(locks[label], method, arguments)
        case {"call": method, "with": arguments}:
            return call(client, method, arguments)
        case {"adopt": label, "token": token}:
            locks[label].local.token = token
        case {"token": label}:
            return locks[label].local.token
        case {"contend": threads, **rest}:
            contend(threads, **rest)
        case _:
            raise ValueError(f"no such request: {request}")


def decoded(value):
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value


def main():
    for line in sys.stdin:
        try:
            reply = {"value": answer(json.loads(line, object_hook=decoded))}
        except Exception as error:
            reply = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(reply, default=lambda value: {"hex": value.hex()}), flush=True)


main()
