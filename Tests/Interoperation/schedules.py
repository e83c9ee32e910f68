# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0

"""Answers a test in Swift with the PyPI package `croniter` and with Python's own `zoneinfo`.

Each line on standard input is a question, a list in JSON; each is answered by a line on standard output, a list of
numbers, or a text that says what went wrong.

    ["next", CRON, ZONE, INSTANT, COUNT]    the ticks after an instant, as croniter reads the expression. It is told that
                                            seconds come first, and that a day field beginning with * restricts nothing
    ["both", CRON, ZONE, INSTANT, COUNT]    the same, but a day must be met by both day fields
    ["offset", ZONE, INSTANT, ...]          how far the clocks are ahead of UTC at each of these instants
"""

import datetime
import json
import sys
import zoneinfo

from croniter import croniter

# The system's, whatever the environment says and whatever packages are installed.
zoneinfo.reset_tzpath(to=["/usr/share/zoneinfo"])


def ticks(cron, zone, instant, count, **options):
    start = datetime.datetime.fromtimestamp(instant, zoneinfo.ZoneInfo(zone))
    found = croniter(cron, start, second_at_beginning=True, **options)
    return [int(found.get_next(float)) for _ in range(count)]


def offsets(zone, *instants):
    zone = zoneinfo.ZoneInfo(zone)
    epoch = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    moments = (epoch + datetime.timedelta(seconds=instant) for instant in instants)
    return [int(moment.astimezone(zone).utcoffset().total_seconds()) for moment in moments]


def answer(kind, *question):
    if kind == "next":
        return ticks(*question, implement_cron_bug=True)
    if kind == "both":
        return ticks(*question, day_or=False)
    return offsets(*question)


for line in sys.stdin:
    try:
        print(json.dumps(answer(*json.loads(line))))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
