"""Under light load: how long after its append to Kafka an event can be seen in ClickHouse."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from functools import partial

from aiokafka import AIOKafkaProducer

from benchmarks import ours, voc_events
from benchmarks.field import Field
from benchmarks.report import Report, Target, percentile, table
from benchmarks.rivals_part import PARTS
from benchmarks.stored import Stored
from voc_stream.devstack.errors import StackError

SECONDS = 30.0
PER_SECOND = 40
BEYOND_FLUSH_SECONDS = 0.5
LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 30.0

# Partition and offset → seconds.
Moments = dict[tuple[int, int], float]


def measure(seconds: float = SECONDS) -> Report:
    """Send a few events a second, and look for them twenty times a second."""
    group = f"bench-light-{uuid.uuid4().hex[:8]}"
    topic = "voc.light"
    with Field(parts=PARTS) as field, ours.our_worker(field, group, (topic,), {}) as worker:
        worker.wait_ready()
        flush = field.settings.batch_flush_seconds
        stored = Stored(field.settings, group)
        sent, seen = asyncio.run(send_and_look(list(field.settings.kafka_bootstrap), topic, stored, seconds, partial(ours.must_run, worker)))
    delays = [seen[key] - at for key, at in sent.items()]
    row = (len(delays), PER_SECOND, *(round(percentile(delays, share), 2) for share in (0.5, 0.95)), round(max(delays), 2))
    table("light: seconds from the append to Kafka to the row in ClickHouse", ("events", "a second", "median", "p95", "longest"), [row])
    report = Report("light", figures={"p50": percentile(delays, 0.5), "p95": percentile(delays, 0.95), "longest": max(delays)})
    report.targets = [Target("append to visible, p95", percentile(delays, 0.95), flush + BEYOND_FLUSH_SECONDS, " s")]
    return report


async def send_and_look(
    bootstrap: list[str], topic: str, stored: Stored, seconds: float, alive: Callable[[], None], *, first: int = 0, every: float = LOOK_SECONDS
) -> tuple[Moments, Moments]:
    """Return when each event was sent, and when it was seen; they are numbered `first` and on, and looked for so often."""
    sent: Moments = {}
    seen: Moments = {}
    ended = asyncio.Event()
    looking = asyncio.create_task(_look(stored, sent, seen, ended, alive, every=every))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for number, (key, value) in enumerate(voc_events.records(int(seconds * PER_SECOND), first=first)):
            at = time.monotonic()
            written = await producer.send_and_wait(topic, value, key=key, partition=number % ours.PARTITIONS)
            # The clock starts before the append: what is measured is no less.
            sent[written.partition, written.offset] = at
            await asyncio.sleep(max(0.0, at + 1 / PER_SECOND - time.monotonic()))
    finally:
        await producer.stop()
        ended.set()
    await looking
    return sent, seen


async def _look(stored: Stored, sent: Moments, seen: Moments, ended: asyncio.Event, alive: Callable[[], None], *, every: float) -> None:
    """Note when each event that was sent can be seen first; a window is visible at once, so its newest offset tells.

    Raises:
        StackError: some were not seen long after the last was sent.
    """
    deadline = float("inf")
    while not ended.is_set() or not sent.keys() <= seen.keys():
        newest = await asyncio.to_thread(stored.newest)
        now = time.monotonic()
        for partition, offset in sent.keys() - seen.keys():
            if newest.get(partition, -1) >= offset:
                seen[partition, offset] = now
        alive()
        if ended.is_set():
            deadline = min(deadline, now + _PATIENCE_SECONDS)
        if now > deadline:
            raise StackError(
                f"{len(sent.keys() - seen.keys())} of {len(sent)} events were not seen {_PATIENCE_SECONDS:.0f} s after the last was sent"
            )
        await asyncio.sleep(every)
