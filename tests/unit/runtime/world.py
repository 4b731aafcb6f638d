"""A stage's surroundings in memory: records, a publisher, a store, gates, a clock, and pauses that end when a test says so."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from aiokafka.structs import ConsumerRecord

from voc_stream.errors import OutsideError
from voc_stream.events.base import Decoder, Wire, derived_id, encode
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.ledger import PartitionLedger, RecordBatch
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.runner import StageRunner
from voc_stream.runtime.stage import Delivery, Failed, Stage, Surroundings, Work, by_policy
from voc_stream.stages.changes import At, Change, Parked
from voc_stream.stages.outcome import Ok, Outcome, Publication
from voc_stream.stages.retry import RetryPolicy
from voc_stream.tracing.tracing import Tracing

TIMEOUT = 5.0
TOPIC = "notes"
OUT = "notes.out"
BEGAN = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


class Note(Wire, frozen=True, kw_only=True):
    """The value of the tests' topic."""

    text: str


def note(offset: int) -> Note:
    return Note(event_ts=BEGAN, ingest_uuid=derived_id("note", str(offset)), text=f"note {offset}")


def record(offset: int, value: bytes | None = None, *, partition: int = 0, key: bytes | None = b"key", headers: object = ()) -> ConsumerRecord:
    data = encode(note(offset)) if value is None else value
    timestamp = int(BEGAN.timestamp() * 1000)
    return ConsumerRecord(TOPIC, partition, offset, timestamp, 0, key, data, None, len(key or b""), len(data), headers)


class Batch:
    """A record batch and when it was resolved."""

    def __init__(self, records: Sequence[ConsumerRecord], ledger: PartitionLedger | None = None, *, behind: int = 0) -> None:
        self.done = asyncio.Event()
        self.ledger = ledger or PartitionLedger(records[0].offset, max_records=1000, max_bytes=1 << 20)
        self.records = RecordBatch(TOPIC, records[0].partition, records, ledger=self.ledger, behind=behind, on_done=self.done.set)
        self.ledger.add(self.records)

    @property
    def position(self) -> int:
        return self.ledger.position()


def batch(*offsets: int, partition: int = 0) -> Batch:
    return Batch([record(offset, partition=partition) for offset in offsets])


class Pauses:
    """Sleeping that ends when the test lets it; remembers what was asked for."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.asked: list[float] = []
        self.entered = asyncio.Event()
        self._at_once = at_once
        self._sleepers: deque[asyncio.Future[None]] = deque()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        if self._at_once:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        self.entered.set()
        await sleeper

    def end(self) -> None:
        """End the oldest pause; a new one may be waited for through `entered`."""
        self.entered.clear()
        while self._sleepers:
            sleeper = self._sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return


class Dependency:
    """Something outside, well or not; a gate's probe asks it."""

    def __init__(self) -> None:
        self.error: OutsideError | None = None
        self.probes = 0

    async def probe(self) -> None:
        self.probes += 1
        if self.error is not None:
            raise self.error


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 0.001
        return self.seconds


@dataclass
class Outside:
    """The publisher and the store of a stage; `journal` tells what happened in which order.

    Attributes:
        publish_faults: raised by the next publications, one each.
        apply_faults: raised by the next changes, one each.
    """

    journal: list[str] = field(default_factory=list)
    published: list[Outgoing] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    publish_faults: deque[OutsideError | None] = field(default_factory=deque)
    apply_faults: deque[OutsideError | None] = field(default_factory=deque)

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        await asyncio.sleep(0)
        _fail(self.publish_faults)
        self.published += records
        self.journal += [f"publish {record.topic}" for record in records]
        return list(range(len(records)))

    async def apply(self, changes: Sequence[Change]) -> None:
        await asyncio.sleep(0)
        _fail(self.apply_faults)
        self.changes += changes
        self.journal += ["change" for _ in changes]

    def sent_to(self, topic: str) -> list[Outgoing]:
        return [record for record in self.published if record.topic == topic]


def _fail(faults: deque[OutsideError | None]) -> None:
    error = faults.popleft() if faults else None
    if error is not None:
        raise error


class World:
    """A runner and all that is around it.

    Args:
        work: the stage's work.
        needs: the stage's dependencies; each gets a gate, and so does kafka.
        policy: for failed attempts.
        at_once: whether retry pauses end by themselves.
    """

    def __init__(
        self,
        work: Work,
        *,
        needs: tuple[str, ...] = ("scorer",),
        in_flight: int = 8,
        chunk: int = 1,
        in_order: bool = False,
        policy: RetryPolicy | None = None,
        failed: Failed | None = None,
        at_once: bool = True,
    ) -> None:
        self.outside = Outside()
        self.dependencies = {name: Dependency() for name in (*needs, "kafka", "postgres")}
        self.probe_pauses = Pauses()
        self.retry_pauses = Pauses(at_once=at_once)
        self.clock = Clock()
        self.gates = {
            name: Gate(name, dependency.probe, sleep=self.probe_pauses, clock=self.clock, chance=lambda: 0.0)
            for name, dependency in self.dependencies.items()
        }
        self.crashes: list[BaseException] = []
        self.crashed = asyncio.Event()
        stage = Stage("note", Decoder(Note), work, failed or by_policy(policy or RetryPolicy(attempts=3)), needs, in_flight, chunk, in_order)
        self.around = Surroundings(
            publisher=self.outside,
            store=self.outside,
            gates=self.gates,
            crash=self._crash,
            now=lambda: BEGAN + timedelta(seconds=self.clock()),
            sleep=self.retry_pauses,
            chance=lambda: 0.0,
        )
        self.runner = StageRunner(stage, self.around)

    def trace(self, tracing: Tracing) -> None:
        """Begin anew with a runner that traces."""
        self.runner = StageRunner(self.runner.stage, replace(self.around, tracing=tracing))

    async def _crash(self, error: BaseException) -> None:
        self.crashes.append(error)
        self.crashed.set()

    async def stop(self) -> None:
        """Leave no task behind."""
        await self.runner.quiesce(0.0)
        for gate in self.gates.values():
            await gate.stop()


def passed(delivery: Delivery) -> Outcome:
    """The outcome of a note that passes: a change and one output."""
    at = At(delivery.facts.now, delivery.facts.topic, delivery.facts.partition, delivery.facts.offset)
    change = Parked(f"call-{delivery.facts.offset}", "later", BEGAN, at)
    return Ok(change=change, out=(Publication(OUT, "key", delivery.event),))


def each(one: Callable[[Delivery], Outcome]) -> Work:
    """Work that judges each record by itself."""

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await asyncio.sleep(0)
        return [one(delivery) for delivery in deliveries]

    return work


async def done(*batches: Batch) -> None:
    async with asyncio.timeout(TIMEOUT):
        for each_batch in batches:
            await each_batch.done.wait()


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(TIMEOUT):
        await event.wait()


async def idle() -> None:
    """Let everything run that can run."""
    for _ in range(300):
        await asyncio.sleep(0)


def failing(outside: dict[int, list[OutsideError]]) -> Work:
    """Work that raises the planned errors of an offset, one an attempt, then passes."""

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await asyncio.sleep(0)
        for delivery in deliveries:
            planned = outside.get(delivery.facts.offset)
            if planned:
                raise planned.pop(0)
        return [passed(delivery) for delivery in deliveries]

    return work


def always(error: OutsideError, *offsets: int) -> Work:
    """Work that fails for these offsets for ever."""

    async def work(deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await asyncio.sleep(0)
        if any(delivery.facts.offset in offsets for delivery in deliveries):
            raise error
        return [passed(delivery) for delivery in deliveries]

    return work


# the order
