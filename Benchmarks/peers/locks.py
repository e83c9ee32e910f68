# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0

"""Other libraries' locks, made to answer as lock-bench does.

    locks.py LIBRARY PORT pairs|handover
"""

import sys
import time

TIMEOUT = 10
NAME = "bench:locks"


def valkey_py(port):
    import valkey
    from valkey.lock import Lock
    return Lock(valkey.Valkey(port=port), NAME, timeout=TIMEOUT)


def python_redis_lock(port):
    import redis
    import redis_lock
    return redis_lock.Lock(redis.StrictRedis(port=port), NAME, expire=TIMEOUT)


def pairs(lock):
    for line in sys.stdin:
        begun, used = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.process_time_ns()
        for _ in range(int(line)):
            if not lock.acquire(blocking=False):
                sys.exit("a lock was not free")
            lock.release()
        print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - begun, time.process_time_ns() - used, flush=True)


def handover(lock):
    for line in sys.stdin:
        begun = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if line.strip() == "acquire":
            lock.acquire()
        else:
            lock.release()
        print(begun, time.clock_gettime_ns(time.CLOCK_BOOTTIME), flush=True)


library, port, mode = sys.argv[1:]
lock = {"valkey-py": valkey_py, "python-redis-lock": python_redis_lock}[library](int(port))
if lock.acquire(blocking=False):
    lock.release()
print("ready", flush=True)
{"pairs": pairs, "handover": handover}[mode](lock)
