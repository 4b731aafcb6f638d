"""Does what the steps of a partition say (`stages/delivery.py`); outages are waited for, and whatever is lost is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from faust.types import TP

from voc_stream.errors import RejectedError
from voc_stream.events.voc import VocEvent
from voc_stream.logs import get_logger
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.lease import Lease
from voc_stream.runtime.patience import PASSING, Patience
from voc_stream.runtime.pauses import Pauses
from voc_stream.runtime.stage import Publishes
from voc_stream.runtime.state import STATE
from voc_stream.runtime.window_letters import WindowLetters
from voc_stream.runtime.window_parts import Part
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.delivery import (
    AbandonedError,
    Answer,
    AskEnd,
    AskLease,
    AskNewest,
    AskStored,
    Insert,
    KeepRow,
    RebuildViews,
    Resolve,
    RunHooks,
    SendLetters,
    Step,
    WriteRow,
)
from voc_stream.stages.event_rows import EventBlock
from voc_stream.stages.ranges import Place, encode_row
from voc_stream.stages.windows import Window
from voc_stream.tracing.tracing import OFF, Tracing

logger = get_logger(__name__)
T = TypeVar("T")

# Of all partitions together. ClickHouse gains nothing from more, and those who read there at the same time lose.
INSERTS_AT_ONCE = 2

Hook = Callable[[Sequence[VocEvent], Sequence[Annotation]], Awaitable[None]]


class Stores(Protocol):
    """What is needed of ClickHouse."""

    async def insert_events(self, block: bytes, token: str) -> None:
        """Insert a block of rows under a token."""

    async def stored_offsets(self, incarnation: str, topic: str, partition: int, first: int, last: int) -> set[int]:
        """Return which offsets are stored."""

    async def newest_offset(self, incarnation: str, topic: str, partition: int) -> int | None:
        """Return the newest stored offset."""

    async def rebuild_views(self, days: Sequence[date]) -> None:
        """Make the views of some days anew."""


class Ledger(Protocol):
    """What is needed of the table of windows."""

    def writer(self, partition: int) -> Any:
        """Return the lock that is held from `send` to `keep`."""

    def rows(self, partition: int, prefix: bytes) -> Any:
        """Return keys and values."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """Return a row of the local table."""

    async def send(self, partition: int, entries: Sequence[tuple[bytes, bytes | None]]) -> int:
        """Write to the changelog, acknowledged; the last offset."""

    def keep(self, partition: int, entries: Sequence[tuple[bytes, bytes | None]], offset: int) -> None:
        """Put into the local table."""


class Reading(Protocol):
    """What is needed of the consumer."""

    def rewind(self, tp: TP, offset: int) -> None:
        """Read from an earlier offset on."""

    def committed(self, tp: TP) -> int:
        """Return the committed offset."""

    async def end(self, tp: TP) -> int:
        """Return the offset after the partition's last record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowTools:
    """What all partitions share.

    Args:
        overflow_topic: where events of moved tenants go.
        hooks: told of each window's stored events before it is committed.
        pauses: what stands still.
        sources: the topics from which rubbish moves to the overflow topic.
        tracing: decides which windows are traced.
        now: the time; replaced in tests.
        inserts: how many may be under way.
    """

    warehouse: Stores
    ledger: Ledger
    publisher: Publishes
    reading: Reading
    lease: Lease
    gates: Mapping[str, Gate]
    overflow_topic: str
    hooks: Sequence[Hook]
    pauses: Pauses = field(default_factory=Pauses)
    sources: frozenset[str] = frozenset()
    tracing: Tracing = OFF
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    inserts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(INSERTS_AT_ONCE))


@dataclass(slots=True)
class Formed:
    """A window that is settled: what is stored of its events, the same as rows, their annotations, and where its records came from."""

    window: Window
    values: Sequence[bytes]
    block: bytes
    annotations: Sequence[Annotation]
    parts: Sequence[Part]

    def block_of(self, indexes: Sequence[int]) -> bytes:
        """Return the rows of some of its events."""
        window = self.window
        if len(indexes) == len(window.events):
            return self.block
        block = EventBlock()
        block.add(
            [window.events[index] for index in indexes],
            [self.values[index] for index in indexes],
            [window.records[index].offset for index in indexes],
            [self.annotations[index] for index in indexes],
            window.place,
            window.processed_ms,
        )
        return block.encoded()


class Performer:
    """Performs the steps of one partition in one generation."""

    def __init__(self, place: Place, generation: int, tools: WindowTools, patience: Patience) -> None:
        self._place = place
        self._tp = TP(place.topic, place.partition)
        self._generation = generation
        self._tools = tools
        self._patience = patience
        self._letters = WindowLetters(
            place,
            publisher=tools.publisher,
            kafka=tools.gates["kafka"],
            pauses=tools.pauses,
            overflow_topic=tools.overflow_topic,
            sources=tools.sources,
            patience=patience,
            now=tools.now,
        )
        self._formed: Formed | None = None
        self._acknowledged = -1
        self._has_turn = False

    async def perform(self, steps: Generator[Step, Any, T], formed: Formed | None = None) -> T:
        """Do one step after the other; returns what the generator returns."""
        self._formed = formed
        reply: Any = None
        try:
            async with AsyncExitStack() as writing:
                while True:
                    try:
                        step = steps.send(reply)
                    except StopIteration as end:
                        done: T = end.value
                        return done
                    if not isinstance(step, Insert | AskLease):
                        self._end_turn()  # one that was waited for and is not needed after all
                    reply = await self._do(step, writing)
        finally:
            self._end_turn()
            self._formed = None  # a quiet partition would hold its last window's records until the next one

    async def _do(self, step: Step, writing: AsyncExitStack) -> Any:  # noqa: C901, PLR0911 - one line a step
        match step:
            case AskLease():
                return await self.owned()
            case Insert():
                return await self._insert(step)
            case WriteRow(row=row):
                return await self.write([(row.key(self._place), encode_row(row))], writing)
            case KeepRow(row=row):
                return await self.keep([(row.key(self._place), encode_row(row))], writing)
            case SendLetters():
                return await self._letters.send(self._of().window)
            case RunHooks():
                return await self._run_hooks(self._of())
            case Resolve():
                return self._resolve(self._of())
            case AskEnd():
                return await self._through(lambda: self._tools.reading.end(self._tp))
            case AskNewest():
                return await self._through(lambda: self._tools.warehouse.newest_offset(*self._place))
            case AskStored(first=first, last=last):
                return await self._through(lambda: self._tools.warehouse.stored_offsets(*self._place, first, last))
            case RebuildViews():
                days = sorted({event.timestamp.astimezone(UTC).date() for event in self._of().window.events})
                return await self._through(lambda: self._tools.warehouse.rebuild_views(days))

    async def owned(self) -> bool:
        """Whether the partition is surely ours."""
        lease = self._tools.lease
        return lease.holds(self._generation) or await self._patience.wait(lease.held(self._generation))

    async def write(self, entries: Sequence[tuple[bytes, bytes | None]], writing: AsyncExitStack) -> None:
        """Write rows to the changelog; nobody else writes to this partition's until they are kept, or given up."""
        writer = self._tools.ledger.writer(self._place.partition)
        await self._patience.open(STATE)
        await self._patience.wait(writer.acquire())
        writing.callback(writer.release)
        self._acknowledged = await self._through(lambda: self._tools.ledger.send(self._place.partition, entries))

    async def keep(self, entries: Sequence[tuple[bytes, bytes | None]], writing: AsyncExitStack) -> None:
        """Put rows that were just written into the local table; while the disk has no room nobody else writes to this partition's changelog."""

        async def keep() -> None:
            self._tools.ledger.keep(self._place.partition, entries, self._acknowledged)

        await self._through(keep)
        await writing.aclose()

    async def write_and_keep(self, entries: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Write rows that no window waits for.

        Raises:
            AbandonedError: the partition was lost meanwhile.
        """
        async with AsyncExitStack() as writing:
            await self.write(entries, writing)
            if not await self.owned():
                raise AbandonedError
            await self.keep(entries, writing)

    async def _insert(self, step: Insert) -> Answer:
        if not self._tools.gates["clickhouse"].is_open:
            self._end_turn()
            # Lease and age must be looked at again afterwards.
            await self._patience.open("clickhouse")
            return Answer.UNKNOWN
        if await self._waited_for_turn():
            return Answer.UNKNOWN  # likewise
        block = self._of().block_of(step.indexes)
        try:
            await self._tools.warehouse.insert_events(block, step.token)
        except RejectedError:
            return Answer.REJECTED
        except PASSING as error:
            self._end_turn()
            await self._patience.outlast(error)
            return Answer.UNKNOWN
        finally:
            self._end_turn()
        self._patience.succeeded("clickhouse")
        return Answer.STORED

    async def _waited_for_turn(self) -> bool:
        """Take a turn to insert, unless it was taken before; whether that took its time."""
        if self._has_turn:
            return False
        inserts = self._tools.inserts
        waited = inserts.locked()
        await self._patience.wait(inserts.acquire())
        self._has_turn = True
        return waited

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._tools.inserts.release()

    async def _run_hooks(self, formed: Formed) -> None:
        """Tell the hooks. One whose server will never accept these events has had its chance: the events are stored."""
        events, annotations = formed.window.events, formed.annotations
        for hook in self._tools.hooks:
            try:
                await self._through(partial(hook, events, annotations), rejections=False)
            except RejectedError as error:
                logger.error("stored events could not be told of", place=str(self._place), dependency=error.dependency, reason=error.reason)

    def _resolve(self, formed: Formed) -> None:
        for part in formed.parts:
            part.resolve()

    async def _through(self, act: Callable[[], Awaitable[T]], *, rejections: bool = True) -> T:
        return await self._patience.through_outages(act, rejections=rejections)

    def _of(self) -> Formed:
        if self._formed is None:
            msg = "this step is of a window"
            raise RuntimeError(msg)
        return self._formed
