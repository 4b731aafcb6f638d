"""Fills a topic quickly: whole record batches, made before they are sent, spread evenly over its partitions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, product, repeat

from aiokafka import AIOKafkaProducer

BATCH_BYTES = 64 << 10
# Batches that are on their way at once.
_IN_FLIGHT = 32
# Lets others have the loop; building a batch takes a fraction of a millisecond.
_BATCHES_BETWEEN_BREATHS = 8

Record = tuple[bytes | None, bytes]
Headers = list[tuple[str, bytes]]
# Topic and partition.
Place = tuple[str, int]


async def fill(
    bootstrap: list[str], topics: Sequence[str], partitions: int, records: Iterable[Record], headers: Iterable[Headers] | None = None
) -> int:
    """Write records (key, value), a batch to a partition, then the next batch to the next, of each topic; returns how many."""
    async with producing(bootstrap) as producer:
        return await write(producer, places_of(topics, partitions), records, headers)


def places_of(topics: Sequence[str], partitions: int) -> Iterator[Place]:
    """Return where one batch after the other goes, without end."""
    return cycle([(topic, partition) for partition, topic in product(range(partitions), topics)])


async def write(producer: AIOKafkaProducer, places: Iterator[Place], records: Iterable[Record], headers: Iterable[Headers] | None = None) -> int:
    """Write records, a batch to each place, until the broker has them all; returns how many."""
    room = asyncio.Semaphore(_IN_FLIGHT)
    rest = zip(records, repeat([]) if headers is None else headers, strict=False)
    count = batches = 0
    while True:
        await room.acquire()
        batch = producer.create_batch()
        count += (added := _add(batch, rest))
        if not added:
            break
        topic, partition = next(places)
        future = await producer.send_batch(batch, topic, partition=partition)
        future.add_done_callback(lambda _: room.release())
        batches += 1
        if batches % _BATCHES_BETWEEN_BREATHS == 0:
            await asyncio.sleep(0)
    await producer.flush()
    return count


def _add(batch: object, records: Iterator[tuple[Record, Headers]]) -> int:
    """Add records until the batch is full."""
    append = batch.append  # type: ignore[attr-defined]
    now = int(time.time() * 1000)
    count = size = 0
    for (key, value), headers in records:
        append(key=key, value=value, timestamp=now, headers=headers)
        count += 1
        size += len(value) + 64
        if size > BATCH_BYTES:
            break
    return count


@asynccontextmanager
async def producing(bootstrap: list[str]) -> AsyncIterator[AIOKafkaProducer]:
    """Lend a producer of large batches."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="lz4", max_batch_size=2 * BATCH_BYTES)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
