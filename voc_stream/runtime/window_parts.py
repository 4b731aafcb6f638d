"""The records of a partition that wait for their window: fetched batches, and how much of each is taken."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from voc_stream.runtime.ledger import RecordBatch
from voc_stream.stages.self_pause import tenant_in


@dataclass(frozen=True, slots=True)
class Part:
    """Some consecutive records of a batch."""

    batch: RecordBatch
    start: int
    stop: int

    @property
    def records(self) -> Sequence[Any]:
        """Return Kafka's records."""
        return self.batch.records[self.start : self.stop]

    def resolve(self) -> None:
        """Mark them as done with."""
        self.batch.resolve_between(self.start, self.stop)


@dataclass(slots=True)
class _Waiting:
    batch: RecordBatch
    start: int
    since: float


class Waiting:
    """The queue of one partition in one generation; the intake bounds it.

    Args:
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self.records = 0

    def add(self, batch: RecordBatch) -> None:
        """Queue a batch; they come in order of offset."""
        self._queue.append(_Waiting(batch, 0, self._clock()))
        self.records += len(batch)
        self._arrived.set()

    def give_back(self, parts: Sequence[Part]) -> None:
        """Put the parts that were just taken back to the front; they may be taken at once."""
        for part in reversed(parts):
            self.records += part.stop - part.start
            if part.stop < len(part.batch):
                self._queue[0].start = part.start
            else:
                self._queue.appendleft(_Waiting(part.batch, part.start, float("-inf")))

    def first_of(self, tenants: Container[str | None]) -> tuple[int, str | None] | None:
        """Return the offset and the tenant of the first record that names one of these tenants, or None."""
        for waiting in self._queue:
            for record in waiting.batch.records[waiting.start :]:
                if (tenant_id := tenant_in(record.value)) in tenants:
                    return int(record.offset), tenant_id
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._queue.clear()
        self.records = 0

    @property
    def first(self) -> int | None:
        """Return the offset of the first record, None without any."""
        return int(self._queue[0].batch.records[self._queue[0].start].offset) if self._queue else None

    @property
    def last(self) -> int:
        """Return the offset of the last record, -1 without any."""
        return self._queue[-1].batch.end - 1 if self._queue else -1

    @property
    def followed(self) -> bool:
        """Whether more waits in Kafka, and may be fetched at once."""
        return bool(self._queue) and self._queue[-1].batch.followed

    @property
    def since(self) -> float:
        """Return when the first record came, by the clock."""
        return self._queue[0].since

    async def news(self) -> None:
        """Wait for the next batch."""
        self._arrived.clear()
        await self._arrived.wait()

    def want_until(self, offset: int) -> None:
        """Let everything up to an offset be fetched."""
        self._queue[0].batch.want_until(offset)

    def take(self, *, limit: int | None, most: int, most_bytes: int) -> list[Part]:
        """Take records from the front.

        Args:
            limit: offset of the last that may be taken.
            most: so many records at most.
            most_bytes: about so many bytes at most, but one record at least.
        """
        parts: list[Part] = []
        while self._queue and most > 0 and most_bytes > 0:
            head = self._queue[0]
            batch = head.batch
            each = max(1, batch.bytes // len(batch))
            stop = min(len(batch), head.start + most, head.start + max(1, most_bytes // each))
            if limit is not None and batch.end - 1 > limit:
                stop = min(stop, bisect_right(batch.records, limit, key=lambda record: record.offset))
            if stop <= head.start:
                break
            parts.append(Part(batch, head.start, stop))
            taken = stop - head.start
            most, most_bytes, self.records = most - taken, most_bytes - taken * each, self.records - taken
            if stop < len(batch):
                head.start = stop
            else:
                self._queue.popleft()
        return parts
