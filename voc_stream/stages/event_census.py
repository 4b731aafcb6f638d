"""What became of the records of a partition's offsets: each is stored, a duplicate, a dead letter, deleted on purpose, or a gap. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np

from voc_stream.stages.completeness import NOBODY, Coordinates, Equation, Forget, Gap, Hop, Remedy
from voc_stream.stages.ranges import Offsets, Range, Row, Seen


class Unstored(NamedTuple):
    """A record whose offset has no row.

    Attributes:
        written_at: by Kafka's timestamp.
        tenant_id: None where the record is no event.
        event_id: as `tenant_id`.
        event_at: the event's own time.
    """

    offset: int
    written_at: datetime
    tenant_id: str | None = None
    event_id: UUID | None = None
    event_at: datetime | None = None


class TooMany(NamedTuple):
    """Offsets that nobody looks at one by one."""

    settled: int
    others: int
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known of the offsets of one partition in one hour.

    Attributes:
        topic: its name.
        stored: tenant → offsets that have a row.
        twice: (offset, tenant, rows) where there are several.
        forgotten: how many were deleted on purpose.
        letters: offset → tenant, of dead letters.
        unstored: the records of the other offsets; offsets without a record are left out.
        elsewhere: tenants and ids of them that are stored at other coordinates.
        settled: offsets that the ledger of windows decided not to store.
        too_many: of offsets that were too many to be looked at one by one: how many the ledger of windows decided not to store,
            and the others as a stretch `(first, end)` with their number.
        gone: stretches `(first, end)` that cannot be accounted for, for Kafka no longer has them though it keeps the hour, each with a sentence.
        waiting: how many offsets the group was not done with.
    """

    topic: str
    partition: int
    hour: datetime
    stored: Mapping[str, int]
    twice: Sequence[tuple[int, str, int]] = ()
    forgotten: int = 0
    letters: Mapping[int, str | None]
    unstored: Sequence[Unstored] = ()
    elsewhere: Collection[tuple[str, UUID]] = frozenset()
    settled: Collection[int] = frozenset()
    too_many: TooMany | None = None
    gone: Sequence[tuple[int, int, str]] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What was done on purpose, and for how long the ledger of windows remembers.

    Attributes:
        kept_since: tenant → events before this time are past their retention.
        remembered_since: the ledger knows what was decided since then.
    """

    forgets: Sequence[Forget] = ()
    kept_since: Mapping[str, datetime]
    remembered_since: datetime


def census(found: Findings, about: Circumstances) -> list[Equation]:
    """Return the equations of a partition's part in an hour, by tenant."""
    made: dict[str, Equation] = {}

    def of(tenant_id: str) -> Equation:
        return made.setdefault(tenant_id, Equation(found.hour, tenant_id, Hop.STORE))

    for tenant_id, count in found.stored.items():
        of(tenant_id).left += count
        of(tenant_id).terms["stored"] += count
    many = 0 if found.too_many is None else found.too_many.settled
    for term, count in (("forgotten", found.forgotten), ("on its way", found.waiting), ("duplicates", many)):
        if count:
            of(NOBODY).left += count
            of(NOBODY).terms[term] += count
    for letter_of in found.letters.values():
        of(letter_of or NOBODY).add("dead letters")
    for record in found.unstored:
        of(record.tenant_id or NOBODY).add(_fate(record, found, about))
    for gap in _odd(found):
        of(gap.tenant_id).add(gap, left=0)
    return [made[tenant_id] for tenant_id in sorted(made)]


def settled_by(rows: Iterable[Row], offsets: Offsets) -> Offsets:
    """Return those of the offsets that a window held and did not accept: nothing of them is to be stored.

    Args:
        rows: of the partition's ledger.
        offsets: ascending.
    """
    held = np.zeros(len(offsets), bool)
    accepted = np.zeros(len(offsets), bool)
    for row in rows:
        if isinstance(row, Range | Seen):
            inside = slice(np.searchsorted(offsets, row.first), np.searchsorted(offsets, row.last, "right"))
            held[inside] = True
            # What moved is stored from another topic: whoever looks for it finds it by its id.
            accepted[inside] |= np.isin(offsets[inside], row.offsets)
    return offsets[held & ~accepted]


def _fate(record: Unstored, found: Findings, about: Circumstances) -> str | Gap:
    if _key(record) in found.elsewhere or record.offset in found.settled:
        return "duplicates"
    kept_since = about.kept_since.get(record.tenant_id or "")
    if kept_since is not None and record.event_at is not None and record.event_at < kept_since:
        return "past their retention"
    what, remedy = "it is not stored, and no dead letter", Remedy.STORE
    if record.event_id is None:
        return _gap(record, found, "it is no event, and has no dead letter", None)
    if record.written_at < about.remembered_since and _maybe_forgotten(record, about.forgets):
        return _gap(record, found, f"{what}; a customer of this tenant was forgotten since, so it is not brought back", None)
    return _gap(record, found, what, remedy)


def _key(record: Unstored) -> tuple[str, UUID] | None:
    return None if record.tenant_id is None or record.event_id is None else (record.tenant_id, record.event_id)


def _maybe_forgotten(record: Unstored, forgets: Sequence[Forget]) -> bool:
    # A day's room: a duplicate of what was forgotten may have come long after.
    return any(forget.tenant_id == record.tenant_id and forget.at > record.written_at - timedelta(days=1) for forget in forgets)


def _gap(record: Unstored, found: Findings, what: str, remedy: Remedy | None) -> Gap:
    where = Coordinates(found.partition, record.offset)
    subject = f"{found.topic}[{found.partition}]@{record.offset}"
    return Gap(Hop.STORE, record.tenant_id or NOBODY, subject, what, remedy, record.written_at, where, found.topic)


def _odd(found: Findings) -> Iterator[Gap]:
    name = f"{found.topic}[{found.partition}]"
    for offset, tenant_id, rows in found.twice:
        yield Gap(Hop.STORE, tenant_id, f"{name}@{offset}", f"it is stored {rows} times", None, found.hour)
    if found.too_many is not None and found.too_many.others:
        _, others, first, end = found.too_many
        what = f"{others} offsets here are not stored, more than are looked at one by one"
        yield Gap(Hop.STORE, NOBODY, f"{name}@{first}-{end - 1}", what, None, found.hour)
    for first, end, what in found.gone:
        yield Gap(Hop.STORE, NOBODY, f"{name}@{first}-{end - 1}", what, None, found.hour)
