"""A steady load of customer events, from a process of its own: `python -m benchmarks.web_load BOOTSTRAP TOPIC RATE SECONDS`."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import islice

from benchmarks import ours, voc_events
from benchmarks.filling import fill

SLICE_SECONDS = 0.25


async def main(bootstrap: str, topic: str, rate: float, seconds: float) -> None:
    """Send so many events a second; what could not be sent in time is sent at once."""
    events = voc_events.records(int(rate * seconds))
    began = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(rate * min(seconds, passed + SLICE_SECONDS)) - sent
        if due > 0:
            sent += await fill([bootstrap], [topic], ours.PARTITIONS, islice(events, due))
        await asyncio.sleep(SLICE_SECONDS)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
