"""Windows: consecutive offsets of a partition, formed once and stored once (docs/adr/0012)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from voc_stream.events.base import MalformedError
from voc_stream.events.voc import VocEvent
from voc_stream.stages.history import RefusalError, Taking
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.ranges import ClaimId, Digests, Offsets, Place, Range
from voc_stream.stages.seen_ids import SeenIds, digests_of

_REFUSED_BEFORE = DeadLetter("refused", "the record was refused when its window was first formed")


class Record(Protocol):
    """What is needed of Kafka's record."""

    @property
    def offset(self) -> int:
        """Its offset."""

    @property
    def value(self) -> bytes | None:
        """Its value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Its headers."""


class Tiling:
    """Where the next window of a partition begins and how far it may reach: windows lie side by side, and adopted ranges are formed again exactly.

    Args:
        taking: how the partition was taken over.
    """

    def __init__(self, taking: Taking) -> None:
        self.claim: ClaimId = taking.claim.id
        self.position = taking.start
        self._adopted = deque(row for row in taking.adopted if row.first >= taking.start)

    @property
    def known(self) -> Range | None:
        """Return the adopted range that is next, if one begins here."""
        return self._adopted[0] if self._adopted and self._adopted[0].first == self.position else None

    @property
    def limit(self) -> int | None:
        """Return the last offset that the next window may hold; None where nothing is known beyond."""
        if not self._adopted:
            return None
        known = self.known
        return self._adopted[0].first - 1 if known is None else known.last

    def advance(self, last: int) -> None:
        """Go on behind a window that was stored, or behind offsets that hold no record."""
        if self.known is not None:
            self._adopted.popleft()
        self.position = last + 1


@dataclass(frozen=True, slots=True)
class Check:
    """How records are judged.

    Args:
        decode: bytes to event; raises MalformedError.
        refuse: why an event cannot be stored, or None.
        read: values to events, where all of them are good; else None. Only faster than the other two.
    """

    decode: Callable[[bytes | None], VocEvent]
    refuse: Callable[[VocEvent], DeadLetter | None]
    read: Callable[[Sequence[bytes | None]], list[VocEvent] | None] = lambda _: None


@dataclass(slots=True)
class Window:
    """A window while it is formed: its records are judged in slices, then compared with what was seen before.

    Args:
        place: the partition.
        claim: under which it is formed.
        first: offset, inclusive; may have no record.
        last: offset of its last record.
        processed_ms: now, in milliseconds of the epoch; that of the first forming when it is formed again.
        known: its row, where it is formed again: then the row decides what becomes of each record.

    Attributes:
        events: accepted, in order of offset; those of them that move included until `settle`.
        records: Kafka's records of `events`.
        values: theirs.
        moved: records that go to the overflow topic, with their events.
        letters: records that cannot pass, and why.
        duplicates: how many were dropped.
    """

    place: Place
    claim: ClaimId
    first: int
    last: int
    processed_ms: int
    known: Range | None = None
    events: list[VocEvent] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    moved: list[tuple[VocEvent, Record]] = field(default_factory=list)
    letters: list[tuple[Record, DeadLetter]] = field(default_factory=list)
    duplicates: int = 0
    _accepted: frozenset[int] = frozenset()
    _refused: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Read from the row what was decided."""
        if self.known is not None:
            self.processed_ms = self.known.processed_ms
            self._accepted = frozenset(self.known.offsets.tolist())
            self._refused = frozenset(self.first + delta for delta in self.known.refused)

    @property
    def token(self) -> str:
        """Return the name of its insert."""
        return self.place.token(self.first, self.last)

    def judge(self, records: Sequence[Record], check: Check) -> None:
        """Take the window's next records: decode each, and refuse what cannot be."""
        if self.known is not None:
            records = self._decided(records, check)
        else:
            values = [record.value or b"" for record in records]
            if (events := check.read(values)) is not None:
                self.events += events
                self.records += records
                self.values += values
                return
        decode, refuse = check.decode, check.refuse
        for record in records:
            try:
                event = decode(record.value)
            except MalformedError as error:
                self.letters.append((record, DeadLetter("malformed", str(error))))
                continue
            letter = refuse(event) if self.known is None else None
            if letter is None:
                self.events.append(event)
                self.records.append(record)
                self.values.append(record.value or b"")
            else:
                self.letters.append((record, letter))

    def settle(self, seen: SeenIds, moved_tenants: frozenset[str]) -> Range:
        """Drop duplicates and set aside what moves, after the last slice; returns the window's row.

        Raises:
            RefusalError: formed again, the window has other events than its row says.
        """
        offsets: Offsets = np.fromiter((record.offset for record in self.records), np.int64, len(self.records))
        ids = digests_of([event.tenant_id for event in self.events], [event.event_id for event in self.events])
        if self.known is not None:
            self._refuse_others(self.known, offsets, ids)
            self._set_aside(frozenset(self.known.moved))
            return self.known
        mine = seen.enter(ids, offsets) == offsets
        if not mine.all():
            self.duplicates += len(mine) - int(np.count_nonzero(mine))
            self._keep(np.flatnonzero(mine).tolist())
            offsets, ids = offsets[mine], ids[mine]
        seen.close_window(self.last, self.processed_ms, len(offsets))
        return self._row(offsets, ids, moved_tenants)

    def _decided(self, records: Sequence[Record], check: Check) -> list[Record]:
        """Keep the records that the row calls accepted."""
        accepted = [record for record in records if record.offset in self._accepted]
        refused = [record for record in records if record.offset in self._refused]
        self.letters += [(record, _why(record, check)) for record in refused]
        self.duplicates += len(records) - len(accepted) - len(refused)
        return accepted

    def _refuse_others(self, known: Range, offsets: Offsets, ids: Digests) -> None:
        """Check that the records are those that the row speaks of: their token would make ClickHouse drop others without a word."""
        places = np.searchsorted(known.offsets, offsets)
        if (known.ids[places] != ids).any():
            raise RefusalError(
                f"{self.place}: the records at offsets {self.first} to {self.last} are not those that the ledger knows there: "
                f"the topic was made anew; to take it for a new topic, set KAFKA_INCARNATION to another value than {self.place.incarnation!r}"
            )

    def _row(self, offsets: Offsets, ids: Digests, moved_tenants: frozenset[str]) -> Range:
        moved: list[int] = []
        if moved_tenants:
            moved = [record.offset - self.first for event, record in zip(self.events, self.records, strict=True) if event.tenant_id in moved_tenants]
            self._set_aside(frozenset(moved))
        return Range(
            self.claim,
            self.first,
            self.last,
            self.processed_ms,
            (offsets - self.first).astype("<u4").tobytes(),
            ids.tobytes(),
            tuple(moved),
            tuple(record.offset - self.first for record, _ in self.letters),
        )

    def _set_aside(self, moved: frozenset[int]) -> None:
        if not moved:
            return
        both = zip(self.events, self.records, strict=True)
        self.moved = [(event, record) for event, record in both if record.offset - self.first in moved]
        self._keep([index for index, record in enumerate(self.records) if record.offset - self.first not in moved])

    def _keep(self, indexes: Sequence[int]) -> None:
        self.events = [self.events[index] for index in indexes]
        self.records = [self.records[index] for index in indexes]
        self.values = [self.values[index] for index in indexes]


def _why(record: Record, check: Check) -> DeadLetter:
    """Return the reason of a record that was refused before: today's, where there is one."""
    try:
        return check.refuse(check.decode(record.value)) or _REFUSED_BEFORE
    except MalformedError as error:
        return DeadLetter("malformed", str(error))
