"""One partition's world in memory: Kafka, the group, ClickHouse with tokens, and workers that drive the product's own steps.

Between any two steps anything may happen to a worker; a `Rules` with one rule switched off is a product without that rule.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from voc_stream.events.base import MalformedError
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
    claim,
    deliver,
)
from voc_stream.stages.history import History, read_rows
from voc_stream.stages.ranges import Claim, ClaimId, Place, Range, Row, decode_row, encode_row
from voc_stream.stages.rewinding import ledger_rows
from voc_stream.stages.seen_ids import Horizon, SeenIds
from voc_stream.stages.windows import Check, Tiling, Window

PLACE = Place("1", "voc.calls", 0)
POISON = -1
TOKEN_MS = 1000


class Event(NamedTuple):
    """As much of an event as windows look at."""

    tenant_id: str
    event_id: str
    timestamp: datetime


class Record(NamedTuple):
    """A record; its value is the event's number."""

    offset: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """Which rules of the design hold."""

    lease: bool = True
    claims_void_late_rows: bool = True
    exact_replay: bool = True
    ledger: bool = True
    row_is_awaited: bool = True
    ids_come_from_the_ledger: bool = True
    resolve_after_the_insert: bool = True
    forgotten_tokens_are_healed: bool = True
    keep_after_the_lease: bool = True


@dataclass
class ClickHouse:
    """A table and its view; a token that either remembers adds nothing to it."""

    table: list[tuple[int, int]] = field(default_factory=list)
    view: Counter[int] = field(default_factory=Counter)
    table_tokens: set[str] = field(default_factory=set)
    view_tokens: set[str] = field(default_factory=set)

    def insert(self, token: str, rows: Sequence[tuple[int, int]], *, cut: bool) -> None:
        """Store rows of (offset, number); `cut`: killed between table and view."""
        if token not in self.table_tokens:
            self.table_tokens.add(token)
            self.table += rows
        if not cut and token not in self.view_tokens:
            self.view_tokens.add(token)
            self.view.update(number for _, number in rows)

    def rebuild(self) -> None:
        self.view = Counter(number for _, number in self.table)


@dataclass
class Changelog:
    """What the topic holds, in order."""

    rows: list[tuple[bytes, bytes]] = field(default_factory=list)

    def append(self, key: bytes, value: bytes) -> int:
        self.rows.append((key, value))
        return len(self.rows) - 1


@dataclass
class Table:
    """A worker's RocksDB: it outlives the process, and a recovery reads from where it is."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    next_offset: int = 0

    def recover(self, changelog: Changelog) -> None:
        for key, value in changelog.rows[self.next_offset :]:
            self.rows[key] = value
        self.next_offset = len(changelog.rows)

    def keep(self, key: bytes, value: bytes, offset: int) -> None:
        self.rows[key] = value
        self.next_offset = max(self.next_offset, offset + 1)


class World:
    """Everything that outlives a worker."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.log: list[Record] = []
        self.committed = 0
        self.changelog = Changelog()
        self.clickhouse = ClickHouse()
        self.letters: set[int] = set()
        self.generation = 0
        self.now_ms = 1
        self.backup: list[tuple[int, int]] = []

    def produce(self, number: int) -> None:
        self.log.append(Record(len(self.log), b"%d" % number))

    def back_up(self) -> None:
        self.backup = list(self.clickhouse.table)

    def restore(self) -> None:
        """Bring the table back as it was, without a token; its views are made of it, and the group goes back to what it holds."""
        self.clickhouse = ClickHouse(table=list(self.backup))
        self.clickhouse.rebuild()
        position = max((offset for offset, _ in self.backup), default=-1) + 1
        if position >= self.committed:
            # What is stored and not committed is compared by offsets, not sent under tokens that nobody knows any more: `rewind` waits so long.
            self.now_ms += TOKEN_MS + 1
            return
        history = read_rows(decode_row(value) for value in dict(self.changelog.rows).values())
        for row in ledger_rows(history, position):
            self.changelog.append(row.key(PLACE), encode_row(row))
        self.committed = position

    def wanted(self) -> set[int]:
        """Return the numbers of all events that were sent."""
        return {int(record.value) for record in self.log if int(record.value) != POISON}

    def check(self, *, finished: bool) -> None:
        """Assert that nothing is stored twice, and once all is done that everything is stored."""
        stored = Counter(number for _, number in self.clickhouse.table)
        assert not [number for number, count in stored.items() if count > 1], f"stored twice: {stored}"
        assert not [number for number, count in self.clickhouse.view.items() if count > 1], f"seen twice: {self.clickhouse.view}"
        if finished:
            assert set(stored) == self.wanted(), f"lost: {self.wanted() - set(stored)}"
            assert set(self.clickhouse.view) == self.wanted(), f"lost in the view: {self.wanted() - set(self.clickhouse.view)}"
            assert self.letters == {record.offset for record in self.log if int(record.value) == POISON}


def decode(value: bytes | None) -> Any:
    number = int(value or b"")
    if number == POISON:
        raise MalformedError("poison")
    return Event("acme", str(uuid.UUID(int=number + 1)), datetime(2026, 11, 22, tzinfo=UTC))


class Worker:
    """A process that owns the partition in one generation, or thinks so."""

    def __init__(self, world: World, table: Table) -> None:
        self.world = world
        self.table = table
        self.generation = world.generation
        self.resolved = world.committed
        self.seen = SeenIds(Horizon(10_000))
        self.tiling: Tiling | None = None
        self.window: Window | None = None
        self.acknowledged: dict[bytes, int] = {}
        table.recover(world.changelog)
        history = self._history()
        self.history = history
        self.steps: Generator[Step, Any, Any] | None = claim(PLACE, history, world.committed, self.generation)
        self.pending: Step | None = None
        self._send(None)

    @property
    def owns(self) -> bool:
        """Whether the group thinks so, too."""
        return self.generation == self.world.generation

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for now."""
        return self.pending is None and (self.tiling is None or self.tiling.position >= len(self.world.log))

    def step(self, size: int, *, performed: bool = True, answered: bool = True, cut: bool = False) -> None:
        """Do the next step.

        Args:
            size: records of the next window, if one is formed.
            performed: whether a request reaches its server.
            answered: whether its reply reaches us.
            cut: whether ClickHouse dies between table and view.
        """
        if self.pending is None:
            self._form(size)
            return
        reply = self._perform(self.pending, performed=performed, cut=cut)
        if isinstance(self.pending, Insert):
            reply = Answer.STORED if performed and answered and not cut else Answer.UNKNOWN
        self._send(reply)

    def perform_and_die(self) -> None:
        """The request is under way when the process ends."""
        if self.pending is not None:
            self._perform(self.pending, performed=True, cut=False)

    def commit(self) -> None:
        """Commit; the coordinator refuses a former owner."""
        if self.owns:
            self.world.committed = max(self.world.committed, self.resolved)

    def _form(self, size: int) -> None:
        tiling = self.tiling
        if tiling is None or tiling.position >= len(self.world.log):
            return
        known = tiling.known
        last = known.last if known else min(tiling.position + size, len(self.world.log), *([] if tiling.limit is None else [tiling.limit + 1])) - 1
        self.window = Window(PLACE, tiling.claim, tiling.position, last, self.world.now_ms, known)
        self.window.judge(self.world.log[tiling.position : last + 1], Check(decode, lambda _: None))
        row = self.window.settle(self.seen, frozenset())
        if not self.world.rules.resolve_after_the_insert:
            self.resolved = last + 1
        token_ms = TOKEN_MS if self.world.rules.forgotten_tokens_are_healed else 1 << 60
        self.steps = deliver(self.window, row, lambda: self.world.now_ms, token_ms)
        self._send(None)

    def _send(self, reply: Any) -> None:
        if self.steps is None:
            return
        try:
            self.pending = self.steps.send(reply)
        except StopIteration as end:
            self.pending = None
            if self.tiling is None:
                self._begin(end.value)
            else:
                assert self.window is not None
                self.tiling.advance(self.window.last)
        except AbandonedError:
            self.pending = self.steps = self.tiling = None

    def _begin(self, taking: Any) -> None:
        self.tiling = Tiling(taking)
        self.resolved = min(self.resolved, taking.start)
        if self.world.rules.ids_come_from_the_ledger:
            list(self.seen.recalling([*self.history.seen, *self.history.older, *self.history.current]))

    def _history(self) -> History:
        rules = self.world.rules
        rows = [decode_row(value) for value in self.table.rows.values()] if rules.ledger else []
        history = read_rows(rows) if rules.claims_void_late_rows else _all_of(rows)
        return history if rules.exact_replay else History(history.newest, (), (*history.older, *history.current), ())

    def _perform(self, step: Step, *, performed: bool, cut: bool) -> Any:  # noqa: C901, PLR0911 - one line a step
        world = self.world
        match step:
            case AskEnd():
                return len(world.log)
            case AskNewest():
                # What a rule prevents this would notice afterwards, and refuse.
                return max((offset for offset, _ in world.clickhouse.table), default=None) if world.rules == Rules() else None
            case AskLease():
                return self.owns or not world.rules.lease
            case WriteRow(row=row):
                return self._write(row, performed=performed)
            case KeepRow(row=row):
                return self._keep(row)
            case Insert(token=token, indexes=indexes):
                assert self.window is not None
                records = [self.window.records[index] for index in indexes]
                if performed:
                    world.clickhouse.insert(token, [(record.offset, int(record.value or b"")) for record in records], cut=cut)
            case AskStored(first=first, last=last):
                return {offset for offset, _ in world.clickhouse.table if first <= offset <= last}
            case RebuildViews():
                return world.clickhouse.rebuild()
            case SendLetters():
                assert self.window is not None
                world.letters |= {record.offset for record, _ in self.window.letters}
            case RunHooks():
                pass
            case Resolve(last=last):
                self.resolved = last + 1
        return None

    def _write(self, row: Claim | Range, *, performed: bool) -> None:
        # A row that does not arrive is sent again until it does; without the rule nobody waits for that.
        if performed or self.world.rules.row_is_awaited:
            key, value = row.key(PLACE), encode_row(row)
            self.acknowledged[key] = self.world.changelog.append(key, value)
            if not self.world.rules.keep_after_the_lease:
                self.table.keep(key, value, self.acknowledged[key])

    def _keep(self, row: Claim | Range) -> None:
        key = row.key(PLACE)
        if key in self.acknowledged:
            self.table.keep(key, encode_row(row), self.acknowledged[key])


def _all_of(rows: Iterable[Row]) -> History:
    """Read the rows as if a row could never be void: of those that overlap, the last that was written counts."""
    claims = [row for row in rows if isinstance(row, Claim)]
    ranges: list[Range] = []
    for row in rows:
        if isinstance(row, Range):
            ranges = [other for other in ranges if other.last < row.first or row.last < other.first] + [row]
    newest = max(claims, key=lambda found: found.id, default=None)
    return History(newest or Claim(ClaimId(0, 0), 0, ()), tuple(sorted(ranges, key=lambda row: row.first)), (), ())
