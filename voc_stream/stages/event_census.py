"""What became of the records of a partition's offsets: each is stored, a duplicate, a dead letter, deleted on purpose, or a gap. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from voc_stream.stages.completeness import NOBODY, Coordinates, Equation, Forget, Gap, Hop, Remedy
from voc_stream.stages.ranges import Range, Row, Seen


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
        unread: stretches `(first, end)` that were too many to be looked at.
        gone: stretches `(first, end)` that Kafka no longer has though it keeps the hour, each with a sentence.
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
    unread: Sequence[tuple[int, int]] = ()
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
    for term, count in (("forgotten", found.forgotten), ("on its way", found.waiting)):
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


def settled_by(rows: Iterable[Row], offsets: Collection[int]) -> set[int]:
    """Return those of the offsets that a window held and did not accept: nothing of them is to be stored.

    Args:
        rows: of the partition's ledger.
        offsets: ascending or not.
    """
    held: set[int] = set()
    accepted: set[int] = set()
    for row in rows:
        if not isinstance(row, Range | Seen):
            continue
        inside = {offset for offset in offsets if row.first <= offset <= row.last}
        if inside:
            held |= inside
            # What moved is stored from another topic: whoever looks for it finds it by its id.
            accepted |= inside & set(row.offsets.tolist())
    return held - accepted


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
    for first, end in found.unread:
        what = "more offsets here are not stored than are looked at one by one"
        yield Gap(Hop.STORE, NOBODY, f"{name}@{first}-{end - 1}", what, None, found.hour)
    for first, end, what in found.gone:
        yield Gap(Hop.STORE, NOBODY, f"{name}@{first}-{end - 1}", what, None, found.hour)
