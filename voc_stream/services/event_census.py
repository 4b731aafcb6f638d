"""Every offset of the customer events' topics in an hour, and what became of it: ClickHouse is asked by offset, Kafka only for what is not stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from voc_stream.clients.completeness_asks import CompletenessAsks, Event
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.topic_reader import Record, Stretch, TopicReader, time_of
from voc_stream.events.base import EARLIEST, MalformedError
from voc_stream.events.voc import decode_voc
from voc_stream.stages.completeness import Equation, Forget, merged
from voc_stream.stages.event_census import Circumstances, Findings, Unstored, census, settled_by
from voc_stream.stages.ranges import Claim, Place, Row, decode_row

HOUR = timedelta(hours=1)
# Of one partition in one hour: stretches that are not stored, and records of theirs that are read.
MOST_STRETCHES = 10_000
MOST_READ = 20_000
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
        read, unread = _within(absent, end, self.most_read)
        unstored = await self._read(place, read, letters.keys())
        elsewhere = await self._elsewhere(unstored)
        puzzling = [record for record in unstored if record.event_id is None or (record.tenant_id, record.event_id) not in elsewhere]
        return replace(
            findings,
            stored=await self.asks.by_tenant(place, first, end),
            twice=await self.asks.twice(place, first, end),
            forgotten=await self.asks.forgotten(place, first, end),
            letters={offset: tenant for offset, tenant in letters.items() if any(low <= offset < high for low, high in absent)},
            unstored=unstored,
            elsewhere=elsewhere,
            settled=await self._settled(place, [record.offset for record in puzzling]),
            unread=unread,
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

    async def _read(self, place: Place, stretches: Iterable[tuple[int, int]], letters: Iterable[int]) -> list[Unstored]:
        known = frozenset(letters)
        found = []
        for stretch in stretches:
            async for records in self.reader.read(place.topic, {place.partition: stretch}):
                found += [_unstored(record) for record in records if record.offset not in known]
        return found

    async def _elsewhere(self, records: Sequence[Unstored]) -> frozenset[Event]:
        keys = {(record.tenant_id, record.event_id) for record in records if record.tenant_id is not None and record.event_id is not None}
        times = [record.event_at for record in records if record.event_at is not None]
        return frozenset(await self.asks.copies(keys, min(times) - _APART, max(times) + _APART)) if times else frozenset()

    async def _settled(self, place: Place, offsets: Sequence[int]) -> set[int]:
        """Ask the ledger of windows, which is read from end to end: only for what nothing else tells of."""
        if not offsets:
            return set()
        low, high = min(offsets), max(offsets)
        rows: dict[bytes, Row] = {}
        stretches = await self.reader.stretches(self.changelog, EARLIEST)
        stretch = stretches.get(place.partition)
        if stretch is None:
            return set()
        async for records in self.reader.read(self.changelog, {place.partition: (stretch.begins, stretch.end)}):
            for record in records:
                if record.key is None or not record.key.startswith(place.prefix):
                    continue
                row = decode_row(record.value) if record.value else None
                if row is None or isinstance(row, Claim) or row.last < low or row.first > high:
                    rows.pop(record.key, None)
                else:
                    rows[record.key] = msgspec.structs.replace(row, digests=b"")
        return settled_by(rows.values(), offsets)


def _within(absent: Sequence[tuple[int, int]], end: int, most: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Part what is not stored into what is read, and what is too much."""
    read: list[tuple[int, int]] = []
    unread: list[tuple[int, int]] = []
    room = most
    for first, stop in absent:
        if stop - first <= room and not unread:
            read.append((first, stop))
            room -= stop - first
        else:
            unread.append((first, stop))
    if unread:
        # One line of all of it.
        unread = [(unread[0][0], unread[-1][1])]
    if len(absent) == MOST_STRETCHES and absent[-1][1] < end:
        unread = [(unread[0][0] if unread else absent[-1][1], end)]
    return read, unread


def _unstored(record: Record) -> Unstored:
    written_at, offset, value = time_of(record), record.offset, record.value
    try:
        event = decode_voc(value)
    except MalformedError:
        return Unstored(offset, written_at)
    return Unstored(offset, written_at, event.tenant_id, event.event_id, event.timestamp)
