"""A steady load of customer events, from a process of its own: `python -m benchmarks.web_load BOOTSTRAP TOPIC RATE SECONDS FIRST`."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import chain, islice

from benchmarks import ours, voc_events
from benchmarks.filling import places_of, producing, write

SLICE_SECONDS = 0.25


async def main(bootstrap: str, topic: str, rate: float, seconds: float, first: int) -> None:
    """Send so many events a second, numbered `first` and on; what could not be sent in time is sent at once."""
    events = voc_events.records(int(rate * seconds), first=first)
    # The first one makes the templates of all.
    events = chain([next(events)], events)
    places = places_of([topic], ours.PARTITIONS)
    async with producing([bootstrap]) as producer:
        began = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - began) < seconds:
            due = int(rate * min(seconds, passed + SLICE_SECONDS)) - sent
            sent += await write(producer, places, islice(events, max(0, due)))
            await asyncio.sleep(SLICE_SECONDS)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
