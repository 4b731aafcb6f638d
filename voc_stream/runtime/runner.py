"""Runs a stage over record batches, fairly over partitions: decode, bring to an effect, resolve; nothing is acknowledged early (ADR 0002).

The unknown error ends the worker. A tenant that dead-letters too much, or is paused, is set aside (ADR 0017).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from voc_stream.events.base import MalformedError
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.aside import Aside
from voc_stream.runtime.conclusion import Conclusion
from voc_stream.runtime.dead_letter import frames
from voc_stream.runtime.ledger import RecordBatch
from voc_stream.runtime.stage import Delivery, Stage, Surroundings
from voc_stream.stages.outcome import DeadLetter, Facts

logger = get_logger(__name__)

# How long cancelled work may take to clean up (abort an upload, close a connection) before a stop or a rebalance goes on without it.
ABANDON_SECONDS = 5.0
# Records of held tenants are worked on beside the others, in as many places as this part of the stage's.
ASIDE_PART = 8


class StageRunner:
    """Takes a stage's batches and works on them, fairly over partitions, within the stage's bounds."""

    def __init__(self, stage: Stage, around: Surroundings) -> None:
        self.stage = stage
        self._around = around
        self._waiting: OrderedDict[tuple[str, int], deque[tuple[RecordBatch, int]]] = OrderedDict()
        self._running: dict[asyncio.Task[None], _Chunk] = {}
        self._aside = Aside(stage.name, around.pauses)
        self._aside_workers: set[asyncio.Task[None]] = set()
        self._pausing: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._crashing: asyncio.Task[None] | None = None
        self._conclusion = Conclusion(stage, around, pause=self._pause, progressed=self._progressed)
        self.last_progress = time.monotonic()
        if stage.adapted is None:
            metrics.CONCURRENCY_LIMIT.labels(stage.name).set(stage.in_flight)

    async def run(self, events: AsyncIterator[Any]) -> None:
        """Take batches as they come; `events` are Faust events whose values are record batches, not acknowledged by Faust."""
        async for event in events:
            self.accept(event.value)

    def accept(self, batch: RecordBatch) -> None:
        """Queue a batch; the partition's ledger bounds how many there can be."""
        if not batch.live or self._crashing is not None:
            return
        self._stopping = False
        self._waiting.setdefault((batch.topic, batch.partition), deque()).append((batch, 0))
        self._pump()

    def waiting_records(self) -> int:
        """Return how many records are fetched for this stage and not resolved."""
        waiting = sum(len(batch) - start for queue in self._waiting.values() for batch, start in queue if batch.live)
        return waiting + sum(chunk.records for chunk in self._running.values()) + len(self._aside)

    async def quiesce(self, grace: float) -> None:
        """Stop taking up work, give what runs `grace` seconds, abandon the rest un-acked; what only waits (a closed gate, a retry) at once."""
        self._stopping = True
        self._waiting.clear()
        self._aside.clear()
        running = [*self._running, *self._aside_workers]
        if not running:
            return
        for task in tuple(self._pausing):
            task.cancel()
        _done, late = await asyncio.wait(running, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            logger.info("work abandoned un-acked: it will be delivered again", stage=self.stage.name, chunks=len(late))
            await asyncio.wait(late, timeout=ABANDON_SECONDS)

    def _pump(self) -> None:
        while not self._stopping and (taken := self._next_chunk()) is not None:
            batch, start, stop = taken
            task = asyncio.get_running_loop().create_task(self._work_off(batch, start, stop), name=f"{self.stage.name} {batch.topic}")
            self._running[task] = _Chunk((batch.topic, batch.partition), stop - start)
            task.add_done_callback(self._finished)
        metrics.IN_FLIGHT.labels(self.stage.name).set(sum(chunk.records for chunk in self._running.values()))

    def _next_chunk(self) -> tuple[RecordBatch, int, int] | None:
        """Take from the partitions in turn; one partition never holds more than three quarters of the places, or one of them in order."""
        slots = max(1, self.stage.at_once // self.stage.chunk)
        if len(self._running) >= slots:
            return None
        share = 1 if self.stage.in_order else max(1, slots * 3 // 4)
        for key in list(self._waiting):
            queue = self._waiting[key]
            while queue and not queue[0][0].live:
                queue.popleft()
            if not queue:
                del self._waiting[key]
                continue
            if sum(1 for chunk in self._running.values() if chunk.partition == key) >= share:
                continue
            batch, start = queue.popleft()
            stop = min(start + self.stage.chunk, len(batch))
            if stop < len(batch):
                queue.appendleft((batch, stop))
            self._waiting.move_to_end(key)
            return batch, start, stop
        return None

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._aside_workers.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            logger.error("a stage met an error it does not know: the worker ends", stage=self.stage.name, exc_info=error)
            self._stopping = True
            self._crashing = asyncio.get_running_loop().create_task(self._crash(error))
            return
        self._pump()

    def _progressed(self) -> None:
        self.last_progress = time.monotonic()

    async def _crash(self, error: BaseException) -> None:
        await self._around.crash(error)

    async def _pause(self, waiting: Awaitable[object]) -> None:
        """Wait for a gate, a pause or a further attempt. A stop does not wait for what only waits: the work is abandoned here."""
        task = asyncio.current_task()
        if task is None:
            msg = "a pause is only waited for inside a task"
            raise RuntimeError(msg)
        if self._stopping:
            task.cancel()
        self._pausing.add(task)
        try:
            await waiting
        finally:
            self._pausing.discard(task)

    async def _work_off(self, batch: RecordBatch, start: int, stop: int) -> None:
        began = time.monotonic()
        taken = [self._decoded(batch, index) for index in range(start, stop)]
        held = frozenset() if self.stage.in_order else self._around.pauses.held_tenants(self.stage.name)
        if held and (aside := [one for one in taken if one.delivery.tenant_id in held]):
            taken = [one for one in taken if one.delivery.tenant_id not in held]
            self._set_aside(batch, aside)
        if taken:
            await self._conclusion.reach([(one.delivery, one.letter) for one in taken])
        for one in taken:
            batch.resolve(one.index)
        self.last_progress = time.monotonic()
        metrics.STAGE_SECONDS.labels(self.stage.name).observe(self.last_progress - began)

    def _decoded(self, batch: RecordBatch, index: int) -> _Taken:
        record = batch.records[index]
        facts = Facts(now=self._around.now(), topic=batch.topic, partition=batch.partition, offset=record.offset)
        try:
            return _Taken(index, Delivery(self.stage.decode(record.value), facts, record), None)
        except MalformedError as error:
            return _Taken(index, Delivery(None, facts, record), DeadLetter("malformed", str(error), stack=frames(error)))

    def _set_aside(self, batch: RecordBatch, taken: Sequence[_Taken]) -> None:
        """Let records of held tenants wait where they hold up nobody."""
        metrics.THROTTLED.labels(self.stage.name).inc(len(taken))
        for one in taken:
            self._aside.put(one.delivery.tenant_id, batch, one.index)
        if len(self._aside_workers) < max(1, self.stage.in_flight // self.stage.chunk // ASIDE_PART):
            task = asyncio.get_running_loop().create_task(
                self._aside.work_off(self._work_off_one, self._pause, self._around.sleep), name=f"{self.stage.name} aside"
            )
            self._aside_workers.add(task)
            task.add_done_callback(self._finished)

    async def _work_off_one(self, batch: RecordBatch, index: int) -> None:
        one = self._decoded(batch, index)
        await self._conclusion.reach([(one.delivery, one.letter)])
        batch.resolve(index)
        self.last_progress = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Records of one partition that are worked on together."""

    partition: tuple[str, int]
    records: int


@dataclass(frozen=True, slots=True)
class _Taken:
    """A record that was taken up: its place in the batch, and why it cannot be decoded, if it cannot."""

    index: int
    delivery: Delivery
    letter: DeadLetter | None
