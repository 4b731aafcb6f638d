"""One partition of customer events in one generation: claimed, then window after window (docs/adr/0012)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from faust.types import TP

from voc_stream.events.voc import VocEvent
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.runtime.ledger import RecordBatch
from voc_stream.runtime.patience import Patience
from voc_stream.runtime.traced_windows import traced
from voc_stream.runtime.window_letters import STAGE, dead_of
from voc_stream.runtime.window_parts import Part, Waiting
from voc_stream.runtime.window_performer import Formed, Performer, WindowTools
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.delivery import claim, deliver
from voc_stream.stages.event_rows import EventBlock
from voc_stream.stages.history import read_rows
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.ranges import Place, Range, Seen, decode_row
from voc_stream.stages.seen_ids import Horizon, SeenIds
from voc_stream.stages.sweeping import Sweeper
from voc_stream.stages.windows import Check, Tiling, Window
from voc_stream.tracing.current import told_as

logger = get_logger(__name__)

# After so many records the event loop goes on: heartbeats and other partitions do not wait for a large window.
SLICE = 500
# Likewise after about so much of the ledger was read; what a row costs besides its bytes counts as this many.
SLICE_BYTES = 1 << 20
ROW_BYTES = 1 << 10
# About so much is held by the records of one new window.
MOST_BYTES = 4 << 20
# With a backlog a window waits for so many, as long as they come one batch soon after the other: what a window costs besides its records,
# here and in ClickHouse, is then a small part of it.
LARGE_RECORDS = 3000
SOON_SECONDS = 0.2
# Records of the window by which a stage that paused itself is tried.
TRIED_RECORDS = 50
SWEEP_SECONDS = 60.0
# Multiples of it, without their whole numbers, spread any count of partitions evenly.
GOLDEN = 0.6180339887

# In the place of a value that must not be stored: its row is empty, and nothing of it is inserted.
FORGOTTEN = b""

Decode = Callable[[bytes | None], VocEvent]
Refusal = Callable[[VocEvent], DeadLetter | None]
Read = Callable[[Sequence[bytes | None]], list[VocEvent] | None]


def _one_by_one(_: Sequence[bytes | None]) -> None:
    """Read nothing: each is looked at by itself."""


def closes_after(whole: float, partition: int, since: float) -> float:
    """Return how many seconds after its first record's arrival a window closes, BATCH_FLUSH_SECONDS at most.

    Each partition has moments of its own at which its windows close, so far apart. Those that wake together would otherwise insert together from
    then on: they would wait for each other, and let readers wait, half of the time.

    Args:
        whole: BATCH_FLUSH_SECONDS.
        partition: whose.
        since: monotonic seconds of the first record's arrival.
    """
    return whole * (1.0 - (since / whole - partition * GOLDEN) % 1.0) if whole > 0 else 0.0


class Annotates(Protocol):
    """What annotates events."""

    async def annotate(self, events: Sequence[VocEvent]) -> Sequence[Annotation]:
        """Return the annotation of each event; never raises for a model that is down, and is bounded in time."""


class Cleans(Protocol):
    """What takes out of events what may not be stored."""

    async def refresh(self) -> None:
        """Learn what may not be stored, if that was not just done."""

    async def clean(self, events: list[VocEvent], values: Sequence[bytes]) -> list[bytes]:
        """Return the values as they may be stored, FORGOTTEN for none; the events are replaced likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRules:
    """How windows are formed.

    Args:
        incarnation: of the topics.
        size: records at which a window closes.
        flush_seconds: after its first record's arrival it closes, too.
        size_max: records it may have when more are waiting.
        token_seconds: for how long ClickHouse surely remembers a token.
        decode: bytes to event.
        refuse: at this time, why an event cannot be stored, or None.
        read: at this time, values to events, where all of them are good; else None.
        privacy: cleans what is stored, and what annotations are made of; None: everything is stored as it came.
        moved_tenants: whose events go to the overflow topic, unless they come from it.
    """

    incarnation: str
    size: int
    flush_seconds: float
    size_max: int
    dedup_seconds: float
    token_seconds: float
    decode: Decode
    refuse: Callable[[datetime], Refusal]
    annotator: Annotates
    read: Callable[[datetime], Read] = lambda _: _one_by_one
    privacy: Cleans | None = None
    moved_tenants: frozenset[str] = frozenset()


class Lane:
    """Works on a partition until it is lost.

    Args:
        tp: the partition.
        generation: of the group.
        rules: how windows are formed.
        tools: what all partitions share.
        patience: of the task that runs this.
        horizon: shares the ids to remember.
        room: how many windows beyond the ordinary size may be held at once.
        progressed: told when the partition is claimed, and when a window is done with.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(
        self,
        tp: TP,
        generation: int,
        *,
        rules: WindowRules,
        tools: WindowTools,
        patience: Patience,
        horizon: Horizon,
        room: asyncio.Semaphore,
        progressed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tp = tp
        self.generation = generation
        self.patience = patience
        self.waiting = Waiting(clock)
        self.working = 0
        self._place = Place(rules.incarnation, tp.topic, tp.partition)
        self._rules = rules
        self._tools = tools
        self._horizon = horizon
        self._room = room
        self._progressed = progressed
        self._clock = clock
        self._in_overflow = tp.topic == tools.overflow_topic
        self._performer = Performer(self._place, generation, tools, patience)

    async def run(self, position: int) -> None:
        """Claim the partition at the group's position and store what comes, until it is abandoned."""
        seen = SeenIds(self._horizon)
        try:
            tiling, sweeper = await self._claim(position, seen)
            swept = self._clock()
            while True:
                self._progressed()
                await self._next_window(tiling, seen, sweeper)
                if self._clock() - swept >= SWEEP_SECONDS:
                    await self._sweep(sweeper, seen)
                    swept = self._clock()
        finally:
            seen.leave()

    def accept(self, batch: RecordBatch) -> None:
        """Queue a batch."""
        self.waiting.add(batch)

    async def _claim(self, position: int, seen: SeenIds) -> tuple[Tiling, Sweeper]:
        keys, rows, octets = [], [], 0
        for key, value in self._tools.ledger.rows(self._place.partition, self._place.prefix):
            keys.append(key)
            rows.append(decode_row(value))
            octets += ROW_BYTES + len(value)
            if octets > SLICE_BYTES:
                octets = 0
                await asyncio.sleep(0)
        history = read_rows(rows)
        taking = await self._performer.perform(claim(self._place, history, position, self.generation))
        oldest = self._horizon_ms()
        past: list[Range | Seen] = [*history.seen, *history.older, *history.current]
        for _ in seen.recalling([row for row in past if row.processed_ms >= oldest]):
            await asyncio.sleep(0)
        logger.info(
            "partition claimed", topic=self.tp.topic, partition=self.tp.partition, epoch=taking.claim.id.epoch, position=taking.start,
            adopted=len(taking.adopted), ids=seen.live,
        )  # fmt: skip
        if taking.start < position:
            self.waiting.clear()
            self._tools.reading.rewind(self.tp, taking.start)
        return Tiling(taking), Sweeper(self._place, keys, history, taking.claim)

    async def _next_window(self, tiling: Tiling, seen: SeenIds, sweeper: Sweeper) -> None:
        await self._until_full(tiling)
        known = tiling.known
        # Before the window is written down: from then on its offsets are decided.
        await self._until_open()
        limit, held = tiling.limit, None if known else self._first_held()
        if held is not None and (limit is None or held[0] <= limit):
            if held[0] == self.waiting.first:
                await self.patience.wait(self._tools.pauses.tenant_resumed(STAGE, held[1]))
                return
            limit = held[0] - 1
        unbounded, since = self.waiting.records, self.waiting.since
        parts = self.waiting.take(limit=limit, most=unbounded if known else self._most(), most_bytes=1 << 62 if known else MOST_BYTES)
        if not parts:
            # Offsets without a record lie before the next known range.
            tiling.advance(tiling.limit if tiling.limit is not None else tiling.position)
            return
        began = self._clock()
        last = known.last if known else int(parts[-1].batch.records[parts[-1].stop - 1].offset)
        window = Window(self._place, tiling.claim, tiling.position, last, self._now_ms(), known)
        self.working = sum(part.stop - part.start for part in parts)
        try:
            with traced(self._tools.tracing, window, parts, began - since):
                async with self._roomy(self.working):
                    row = await self._store(window, parts, seen)
            if row is None:
                self.waiting.give_back(parts)
                return
            sweeper.add(row)
            self._count(window, self.working, began)
        finally:
            self.working = 0
        tiling.advance(last)

    @asynccontextmanager
    async def _roomy(self, records: int) -> AsyncIterator[None]:
        """Wait for room, which a window of the ordinary size does not need."""
        if records <= self._rules.size:
            yield
            return
        await self.patience.wait(self._room.acquire())
        try:
            yield
        finally:
            self._room.release()

    async def _until_full(self, tiling: Tiling) -> None:
        """Wait until the next window may close: its size or its time, and for a known range all of its records."""
        waiting, known = self.waiting, tiling.known
        while waiting.first is None:
            await self.patience.wait(waiting.news())
        if known is not None:
            waiting.want_until(known.last)
            while waiting.last < known.last:
                await self.patience.wait(waiting.news())
            return
        large = max(self._rules.size, min(LARGE_RECORDS, self._rules.size_max))
        whole = self._rules.flush_seconds
        flush = closes_after(whole, self.tp.partition, waiting.since)
        while waiting.records < large and (tiling.limit is None or waiting.last < tiling.limit):
            if waiting.records < self._rules.size:
                left = waiting.since + flush - self._clock()
            else:
                left = min(waiting.since + whole - self._clock(), SOON_SECONDS if waiting.followed else 0.0)
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self.patience.wait(waiting.news())
            except TimeoutError:
                return

    async def _until_open(self) -> None:
        pauses = self._tools.pauses
        if not pauses.is_open(STAGE):
            await self.patience.wait(pauses.passed(STAGE))

    def _first_held(self) -> tuple[int, str | None] | None:
        """Return offset and tenant of the first record that an operator's pause holds: in the overflow topic, where paused tenants' events move."""
        paused = self._tools.pauses.paused_tenants(STAGE) if self._in_overflow else frozenset()
        return self.waiting.first_of(paused) if paused else None

    def _most(self) -> int:
        """Return how many records a new window may have: few where it is tried whether the stage can go on, or a rate must be kept."""
        pauses = self._tools.pauses
        if not pauses.is_open(STAGE):
            return min(TRIED_RECORDS, self._rules.size)
        return self._rules.size if self._in_overflow and pauses.held_tenants(STAGE) else self._rules.size_max

    def _may_give_up(self, window: Window) -> bool:
        """Whether a window's dead letters may be written, or the stage pauses itself. What waits in the overflow topic was counted elsewhere."""
        pauses = self._tools.pauses
        if self._in_overflow and pauses.is_open(STAGE):
            return True
        return pauses.note(STAGE, len(window.events), dead_of(window.letters))

    def _moving(self) -> frozenset[str]:
        return frozenset() if self._in_overflow else self._rules.moved_tenants | self._tools.pauses.paused_tenants(STAGE)

    async def _store(self, window: Window, parts: Sequence[Part], seen: SeenIds) -> Range | None:
        """Store a window; None if it is not written down, because the stage pauses itself."""
        rules = self._rules
        now = self._tools.now()
        check = Check(rules.decode, rules.refuse(now), rules.read(now))
        for part in parts:
            records = part.records
            for start in range(0, len(records), SLICE):
                window.judge(records[start : start + SLICE], check)
                await asyncio.sleep(0)
        told = window.known is None and bool(window.letters)
        if told and not self._may_give_up(window):
            return None
        for _ in seen.making_ready(len(window.events)):
            await asyncio.sleep(0)
        row = window.settle(seen, self._moving())
        values = await self._cleaned(window)
        annotations = await rules.annotator.annotate(window.events)
        formed = Formed(window, values, await self._block(window, values, annotations), annotations, parts)
        await self._performer.perform(deliver(window, row, self._now_ms, int(rules.token_seconds * 1000)), formed)
        if not told and not window.letters:
            self._tools.pauses.note(STAGE, len(window.records), {})
        return row

    @told_as("redact")
    async def _cleaned(self, window: Window) -> list[bytes]:
        privacy = self._rules.privacy
        if privacy is None:
            return window.values
        # Without knowing who was forgotten since, nothing may be stored.
        await self.patience.through_outages(privacy.refresh)
        return await privacy.clean(window.events, window.values)

    @told_as("encode")
    async def _block(self, window: Window, values: Sequence[bytes], annotations: Sequence[Annotation]) -> bytes:
        block = EventBlock()
        for start in range(0, len(values), SLICE):
            part = slice(start, start + SLICE)
            offsets = [record.offset for record in window.records[part]]
            block.add(window.events[part], values[part], offsets, annotations[part], window.place, window.processed_ms)
            await asyncio.sleep(0)
        return block.encoded()

    def _count(self, window: Window, records: int, began: float) -> None:
        topic = self.tp.topic
        metrics.EVENTS_CONSUMED.labels(topic).inc(records)
        outcomes = {"stored": len(window.records), "duplicate": window.duplicates, "dead_letter": len(window.letters), "moved": len(window.moved)}
        for outcome, count in outcomes.items():
            if count:
                metrics.EVENTS_PROCESSED.labels(topic, outcome).inc(count)
        metrics.BATCH_SECONDS.observe(self._clock() - began)
        metrics.BATCH_RECORDS.observe(records)
        metrics.DEDUP_IDS.set(self._horizon.live)
        if window.known is not None:
            metrics.REPLAYED.inc()

    async def _sweep(self, sweeper: Sweeper, seen: SeenIds) -> None:
        """Forget what is older than the horizon, and put many small rows into few."""
        oldest = self._horizon_ms()
        seen.forget_before(oldest)
        ledger, partition = self._tools.ledger, self._place.partition
        entries = sweeper.entries(oldest, self._tools.reading.committed(self.tp), partial(ledger.get, partition))
        if entries:
            await self._performer.write_and_keep(entries)
            sweeper.done(entries)

    def _horizon_ms(self) -> int:
        return self._now_ms() - int(self._rules.dedup_seconds * 1000)

    def _now_ms(self) -> int:
        return int(self._tools.now().timestamp() * 1000)
