"""Every offset of the customer events' topics in an hour, and what became of it: ClickHouse is asked by offset, Kafka only for what is not stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import numpy as np

from voc_stream.clients.completeness_asks import CompletenessAsks, Event
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.topic_reader import Record, Stretch, TopicReader, time_of
from voc_stream.events.base import EARLIEST, MalformedError
from voc_stream.events.voc import decode_voc
from voc_stream.stages.completeness import Equation, Forget, merged
from voc_stream.stages.event_census import Circumstances, Findings, TooMany, Unstored, census, settled_by
from voc_stream.stages.ranges import Claim, Offsets, Place, Row, decode_row

HOUR = timedelta(hours=1)
# Of one partition in one hour: stretches that are not stored, and records of theirs that are read.
MOST_STRETCHES = 100_000
MOST_READ = 20_000
# Offsets that are so near to each other are read in one go.
_NEAR = 500
# A copy has the event's time, unless its sender made it anew.
_APART = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCensus:
    """Counts the customer events of an hour.

    Args:
        changelog: of the ledger of windows.
        incarnation: KAFKA_INCARNATION.
        dedup: for how long that ledger remembers.
        most_read: see MOST_READ.
    """

    reader: TopicReader
    rows: CompletenessRows
    asks: CompletenessAsks
    changelog: str
    incarnation: str
    dedup: timedelta
    most_read: int = MOST_READ

    async def hour(
        self,
        hour: datetime,
        topics: Sequence[str],
        *,
        committed: Mapping[tuple[str, int], int],
        forgets: Sequence[Forget],
        kept_since: Callable[[str], datetime | None],
        now: datetime,
    ) -> list[Equation]:
        """Return the equations of the records that were written to these topics in an hour.

        Args:
            hour: its start.
            topics: that keep it still.
            committed: where the group stood before anything else was asked.
            forgets: what was deleted on purpose.
            kept_since: tenant → what is older is past its retention.
            now: the time.

        Raises:
            OutsideError: a server failed.
        """
        found: list[Equation] = []
        for topic in topics:
            for partition, stretch in (await self.reader.stretches(topic, hour, hour + HOUR)).items():
                findings = await self._findings(Place(self.incarnation, topic, partition), hour, stretch, committed.get((topic, partition), 0))
                tenants = {record.tenant_id for record in findings.unstored if record.tenant_id is not None}
                kept = {tenant: since for tenant in tenants if (since := kept_since(tenant)) is not None}
                found += census(findings, Circumstances(forgets=forgets, kept_since=kept, remembered_since=now - self.dedup))
        return merged(found)

    async def _findings(self, place: Place, hour: datetime, stretch: Stretch, committed: int) -> Findings:
        first, end = stretch.first, max(stretch.first, min(stretch.end, committed))
        findings = Findings(
            topic=place.topic,
            partition=place.partition,
            hour=hour,
            stored={},
            letters={},
            gone=await self._gone(place, hour, stretch, committed),
            waiting=stretch.end - end,
        )
        if first == end:
            return findings
        letters = await self.rows.letter_offsets(place.topic, place.partition, first, end, hour - _APART)
        absent = await self.asks.absent(place, first, end, MOST_STRETCHES)
        if len(absent) == MOST_STRETCHES:
            findings = replace(findings, gone=[*findings.gone, (absent[-1][1], end, "too many offsets before these are not stored to look at these")])
            end = absent[-1][1]
        offsets = _offsets(absent)
        refused = np.isin(offsets, list(letters))
        missing = offsets[~refused]
        unstored = await self._read(place, missing[: self.most_read])
        elsewhere = await self._elsewhere(unstored)
        puzzling = [record.offset for record in unstored if (record.tenant_id, record.event_id) not in elsewhere]
        many = missing[self.most_read :]
        settled = await self._settled(place, np.concatenate([np.array(puzzling, np.int64), many]))
        return replace(
            findings,
            stored=await self.asks.by_tenant(place, first, end),
            twice=await self.asks.twice(place, first, end),
            forgotten=await self.asks.forgotten(place, first, end),
            letters={offset: letters[offset] for offset in offsets[refused].tolist()},
            unstored=unstored,
            elsewhere=elsewhere,
            settled=frozenset(settled[: np.searchsorted(settled, many[0])].tolist() if len(many) else settled.tolist()),
            too_many=_too_many(many, settled),
        )

    async def _gone(self, place: Place, hour: datetime, stretch: Stretch, committed: int) -> list[tuple[int, int, str]]:
        """Return what Kafka no longer has of the hour: as far as was stored of it, and what was never read."""
        if not stretch.begins:
            return []
        gone = []
        before = await self.asks.stored_before(place, stretch.begins, hour, hour + HOUR)
        if before is not None:
            first, stored = before
            gone.append((first, stretch.begins, f"these records are gone from Kafka before their time; {stored} of them are stored"))
        if committed < stretch.begins and stretch.first == stretch.begins < stretch.end:
            gone.append((committed, stretch.begins, "these records were gone from Kafka before they were read"))
        return gone

    async def _read(self, place: Place, offsets: Offsets) -> list[Unstored]:
        """Read these offsets, those between neighbours too: one request for many is cheaper than many for one."""
        found = []
        for some in np.split(offsets, np.flatnonzero(np.diff(offsets) > _NEAR) + 1) if len(offsets) else ():
            wanted = frozenset(some.tolist())
            async for records in self.reader.read(place.topic, {place.partition: (int(some[0]), int(some[-1]) + 1)}):
                found += [_unstored(record) for record in records if record.offset in wanted]
        return found

    async def _elsewhere(self, records: Sequence[Unstored]) -> frozenset[Event]:
        keys = {(record.tenant_id, record.event_id) for record in records if record.tenant_id is not None and record.event_id is not None}
        times = [record.event_at for record in records if record.event_at is not None]
        return frozenset(await self.asks.copies(keys, min(times) - _APART, max(times) + _APART)) if times else frozenset()

    async def _settled(self, place: Place, offsets: Offsets) -> Offsets:
        """Ask the ledger of windows, which is read from end to end: only for what nothing else tells of."""
        stretch = (await self.reader.stretches(self.changelog, EARLIEST)).get(place.partition) if len(offsets) else None
        if stretch is None:
            return offsets[:0]
        rows: dict[bytes, Row] = {}
        async for records in self.reader.read(self.changelog, {place.partition: (stretch.begins, stretch.end)}):
            for record in records:
                if record.key is None or not record.key.startswith(place.prefix):
                    continue
                row = decode_row(record.value) if record.value else None
                if row is None or isinstance(row, Claim) or row.last < offsets[0] or row.first > offsets[-1]:
                    rows.pop(record.key, None)
                else:
                    rows[record.key] = msgspec.structs.replace(row, digests=b"")
        return settled_by(rows.values(), offsets)


def _offsets(stretches: Sequence[tuple[int, int]]) -> Offsets:
    """Return every offset of these stretches."""
    return np.concatenate([np.arange(first, end, dtype=np.int64) for first, end in stretches]) if stretches else np.empty(0, np.int64)


def _too_many(many: Offsets, settled: Offsets) -> TooMany | None:
    if not len(many):
        return None
    others = many[~np.isin(many, settled)]
    first, end = (int(others[0]), int(others[-1]) + 1) if len(others) else (0, 0)
    return TooMany(len(many) - len(others), len(others), first, end)


def _unstored(record: Record) -> Unstored:
    written_at, offset, value = time_of(record), record.offset, record.value
    try:
        event = decode_voc(value)
    except MalformedError:
        return Unstored(offset, written_at)
    return Unstored(offset, written_at, event.tenant_id, UUID(event.event_id), event.timestamp)
