"""Runs a stage over record batches: decode, work, store, publish, resolve; retries in place; nothing is acknowledged early (ADR 0002).

Per record the order is: the stage's work; PostgreSQL holds the change; the outputs (or the dead letter) are acknowledged; the
record is resolved. An outage of a dependency closes its gate and the record waits; the unknown error ends the worker. A stage that
dead-letters too much pauses itself before it writes the letters, and a tenant that does so, or is paused, is set aside (ADR 0017).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from voc_stream.errors import BusyError, OutageError, OutsideError, RejectedError, ThrottledError, TransientError
from voc_stream.events.base import MalformedError, encode
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.aside import Aside
from voc_stream.runtime.dead_letter import dead_letter_record, frames
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.ledger import RecordBatch
from voc_stream.runtime.letter_writing import write_letters
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Delivery, Stage, Surroundings
from voc_stream.runtime.traced_calls import attempt_failed, begun, carrying, ending, tell_outcome
from voc_stream.stages.changes import Change
from voc_stream.stages.outcome import DeadLetter, Drop, Facts, Ok, Outcome, Retry
from voc_stream.tracing.current import within

logger = get_logger(__name__)

# How long cancelled work may take to clean up (abort an upload, close a connection) before a stop or a rebalance goes on without it.
ABANDON_SECONDS = 5.0
# Records of held tenants are worked on beside the others, in as many places as this part of the stage's.
ASIDE_PART = 8

Verdict: TypeAlias = tuple[Delivery, Outcome]


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
            await self._finish(taken)
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
        await self._finish([one])
        batch.resolve(index)
        self.last_progress = time.monotonic()

    async def _finish(self, taken: Sequence[_Taken]) -> None:
        begun_now = [(begun(self._around.tracing, self.stage.name, one.delivery), one.letter) for one in taken]
        with ending([delivery for delivery, _ in begun_now]):
            await self._conclude([delivery for delivery, letter in begun_now if letter is None], [(d, letter) for d, letter in begun_now if letter])

    async def _conclude(self, deliveries: Sequence[Delivery], malformed: Sequence[Verdict] = ()) -> None:
        """Work until each delivery has an effect: passed, dropped or dead-lettered; and dead-letter what is malformed."""
        with within(delivery.span for delivery in (*deliveries, *(one for one, _ in malformed))):
            await self._conclude_all(deliveries, malformed)

    async def _conclude_all(self, deliveries: Sequence[Delivery], malformed: Sequence[Verdict]) -> None:
        attempt = 1
        failing_since: datetime | None = None
        served: dict[str, int] = {}
        while True:
            if await self._may_work(*self.stage.needs if deliveries else ()):
                # An outage that others met: the first to fail after it is no more to blame than they are.
                attempt = 1
            now = self._around.now()
            deliveries = [
                replace(delivery, facts=replace(delivery.facts, attempt=attempt, now=now, failing_since=failing_since)) for delivery in deliveries
            ]
            try:
                outcomes = await self.stage.work(deliveries) if deliveries else ()
                retry = await self._settle([*zip(deliveries, outcomes, strict=True), *malformed])
            except _HeldBackError as held:
                deliveries = [delivery for delivery, _ in held.verdicts if delivery.event is not None]
                malformed = [verdict for verdict in held.verdicts if verdict[0].event is None]
                attempt = 1
                continue
            except (OutageError, ThrottledError, BusyError) as error:
                await self._outlast(error)
                attempt = 1
                continue
            except (TransientError, RejectedError) as error:
                if (outage := await self._outage_behind(error)) is not None:
                    await self._outlast(outage)
                    attempt = 1
                    continue
                if len(deliveries) + len(malformed) > 1:
                    await self._one_by_one(deliveries, malformed, error)
                    return
                retry = await self._failed(deliveries[0], error, served)
            if retry is None:
                return
            metrics.RETRIES.labels(self.stage.name).inc()
            self.last_progress = time.monotonic()  # an attempt that ended is not one that hangs
            await self._pause(self._around.sleep(retry.delay))
            attempt = 1 if retry is _ANEW else attempt + 1
            failing_since = failing_since or now

    async def _one_by_one(self, deliveries: Sequence[Delivery], malformed: Sequence[Verdict], error: OutsideError) -> None:
        logger.info("a chunk failed as a whole: its records are tried one by one", stage=self.stage.name, records=len(deliveries), error=str(error))
        if malformed:
            await self._conclude([], malformed)
        for delivery in deliveries:
            await self._conclude([delivery])

    async def _settle(self, concluded: Sequence[Verdict]) -> Retry | None:
        """Make the outcomes true; what must be tried again is returned (a chunk of one only).

        Raises:
            _HeldBackError: the stage pauses itself rather than write these dead letters; all else is done.
        """
        changes: list[Change] = []
        outgoing: list[Outgoing] = []
        given_up: list[Verdict] = []
        for delivery, outcome in concluded:
            match outcome:
                case Ok(change=change, out=out):
                    changes += [change] if change is not None else []
                    outgoing += [Outgoing(item.topic, item.key.encode(), encode(item.value), carrying(delivery)) for item in out]
                case Drop():
                    pass
                case DeadLetter():
                    given_up.append((delivery, outcome))
                case Retry():
                    if len(concluded) == 1:
                        return outcome
                    raise TransientError(self.stage.name, outcome.reason)
        if changes:
            await self._around.store.apply(changes)
        await self._around.publisher.publish(outgoing)
        self._count([verdict for verdict in concluded if verdict[0].event is not None])
        if not self._may_give_up(given_up, passed=len(concluded) - len(given_up)):
            raise _HeldBackError(given_up)
        await self._give_up(given_up)
        return None

    async def _outage_behind(self, error: OutsideError) -> OutsideError | None:
        """Ask the dependency itself after an attempt that failed: what is down would fail every record, and each would take a time-out to say so."""
        gate = self._around.gates.get(error.dependency)
        return await gate.is_down() if gate is not None and isinstance(error, TransientError) else None

    async def _failed(self, delivery: Delivery, error: OutsideError, served: dict[str, int]) -> Retry | None:
        """Ask the stage what a failed attempt leads to; an outage in disguise closes the gate instead of killing the record.

        Args:
            delivery: the record.
            error: of a dependency that is well when it is asked.
            served: how much each dependency had served this stage when it first failed the record; taken down here.
        """
        gate = self._around.gates.get(error.dependency)
        serving = None if gate is None else gate.serving(self.stage.name)
        if serving is not None and isinstance(error, TransientError):
            serving.failed(delivery.name)
            served.setdefault(error.dependency, serving.served)
        verdict = self.stage.failed(delivery.event, error, delivery.facts, self._around.chance())
        if isinstance(verdict, Retry):
            attempt_failed(delivery, error)
            logger.info("an attempt failed", stage=self.stage.name, **_fields(delivery), attempt=delivery.facts.attempt, reason=verdict.reason)
            return verdict
        if serving is not None:
            if verdict.dependency is not None and serving.nobody(delivery.name, served.get(error.dependency, -1)):
                await self._outlast(error)
                served.clear()
                return _ANEW
            serving.dismiss(delivery.name)
        given_up = [(delivery, replace(verdict, stack=frames(error)))]
        if not self._may_give_up(given_up, passed=0):
            return _ANEW
        await self._give_up(given_up)
        return None

    def _may_give_up(self, given_up: Sequence[Verdict], *, passed: int) -> bool:
        """Tell what became of a chunk; whether its dead letters may be written, or the stage pauses itself."""
        dead = Counter(delivery.tenant_id for delivery, _ in given_up)
        if not self._around.pauses.note(self.stage.name, passed, dead):
            return False
        if dead:
            self._around.pauses.spend(self.stage.name, dead)
        return True

    async def _give_up(self, given_up: Sequence[Verdict]) -> None:
        """Write dead letters, wait for their acknowledgement, then tell PostgreSQL; waits through outages, never skips."""
        for delivery, outcome in given_up:
            if not isinstance(outcome, DeadLetter):
                continue
            record = dead_letter_record(delivery.record, delivery.facts, self.stage.name, outcome)
            await self._through_outages(partial(self._write_letter, record))
            change = outcome.change
            if change is not None:
                try:
                    await self._through_outages(partial(self._around.store.apply, [change]))
                except RejectedError as error:
                    logger.warning("the database refuses a dead letter's status", stage=self.stage.name, reason=str(error))
            tell_outcome(delivery, outcome)
            metrics.DEAD_LETTERS.labels(self.stage.name, outcome.error_type).inc()
            metrics.RECORDS.labels(self.stage.name, "dead_letter").inc()
            logger.warning("dead letter", stage=self.stage.name, **_fields(delivery), error_type=outcome.error_type, reason=outcome.reason)

    async def _write_letter(self, letter: Outgoing) -> None:
        around = self._around
        await write_letters(
            around.publisher,
            [letter],
            stage=self.stage.name,
            kafka=self._gate("kafka"),
            pauses=around.pauses,
            wait=lambda seconds: self._pause(around.sleep(seconds)),
        )

    async def _through_outages(self, act: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await act()
            except (OutageError, ThrottledError, TransientError) as error:
                await self._outlast(error)
            else:
                return

    async def _outlast(self, error: OutsideError) -> None:
        """Close the gate of what failed and wait until it opens, whether or not the stage names it among its needs."""
        gate = self._around.gates.get(error.dependency)
        if gate is None:
            raise error
        gate.close(error)
        await self._pause(gate.passed())

    async def _may_work(self, *needs: str) -> bool:
        """Wait until the stage is not paused and what it needs is well; say whether a gate was closed."""
        pauses, name = self._around.pauses, self.stage.name
        waited = False
        while True:
            if not pauses.is_open(name):
                await self._pause(pauses.passed(name))
            closed = [gate for need in (*needs, "kafka") if not (gate := self._gate(need)).is_open]
            if not closed:
                return waited
            waited = True
            await self._pause(closed[0].passed())

    def _gate(self, dependency: str) -> Gate:
        return self._around.gates[dependency]

    def _measure_hop(self, delivery: Delivery) -> None:
        ended_at: datetime | None = getattr(delivery.event, "ended_at", None)
        if ended_at is not None:
            metrics.HOP_SECONDS.labels(self.stage.name).observe((self._around.now() - ended_at).total_seconds())

    def _count(self, concluded: Sequence[Verdict]) -> None:
        if concluded:
            for name in self.stage.needs:
                self._gate(name).serving(self.stage.name).succeeded()
        for delivery, outcome in concluded:
            tell_outcome(delivery, outcome)
            if isinstance(outcome, Ok):
                self._measure_hop(delivery)
                metrics.RECORDS.labels(self.stage.name, "ok").inc()
            elif isinstance(outcome, Drop):
                metrics.RECORDS.labels(self.stage.name, outcome.reason).inc()


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


class _HeldBackError(Exception):
    """The stage pauses itself: these records are not dead-lettered now, but tried again after the pause."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        super().__init__(f"{len(verdicts)} dead letters are held back")
        self.verdicts = verdicts


# After an outage the attempts are counted anew: what failed during it is not held against the record.
_ANEW = Retry(reason="the dependency was down", delay=0.0)


def _fields(delivery: Delivery) -> dict[str, object]:
    """Return the log fields that name a record."""
    event = delivery.event
    return {
        "call_id": getattr(event, "call_id", None),
        "tenant_id": getattr(event, "tenant_id", None),
        "topic": delivery.facts.topic,
        "partition": delivery.facts.partition,
        "offset": delivery.facts.offset,
        **({"trace_id": delivery.facts.trace_id} if delivery.facts.trace_id else {}),
    }
