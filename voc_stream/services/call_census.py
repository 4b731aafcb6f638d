"""Every place that knows of an hour's calls, asked in the order in which calls pass them: what comes later is never behind what came before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from voc_stream.clients.completeness_asks import CompletenessAsks
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.events.base import Aware, derived_id
from voc_stream.logs import get_logger
from voc_stream.services.searching import Searches, search_all
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.stages.call_census import equations
from voc_stream.stages.completeness import Coordinates, Equation, Known, Trace, merged
from voc_stream.stages.keys import call_id_of

logger = get_logger(__name__)

HOUR = timedelta(hours=1)
# Calls that are held at once; a fuller hour is examined in parts.
MOST_AT_ONCE = 50_000
# After so many the event loop goes on.
_SLICE = 1000
# Clocks of writers differ by no more.
_CLOCKS = timedelta(minutes=5)
_SECOND = timedelta(seconds=1)

Stretches: TypeAlias = "dict[int, tuple[int, int]]"
"""By partition: the first offset, and the one behind the last."""


class _RawRecord(msgspec.Struct):
    """What is needed of a record of `calls.raw`."""

    call_id: str
    tenant_id: str
    started_at: Aware
    ended_at: Aware


_decode = msgspec.json.Decoder(_RawRecord).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCensus:
    """Counts the calls of an hour.

    Args:
        longest_call: a call lasts no longer than this.
        recorder_id: AVAYA_RECORDER_ID.
        most_at_once: see MOST_AT_ONCE.
    """

    recorder: Searches
    reader: TopicReader
    rows: CompletenessRows
    objects: ObjectStore
    asks: CompletenessAsks
    tenants: TenantsFile
    longest_call: timedelta
    recorder_id: str
    most_at_once: int = MOST_AT_ONCE

    async def hour(self, hour: datetime, known: Known, due_by: datetime) -> list[Equation]:
        """Return the equations of the calls that started in an hour and ended before `due_by`.

        Raises:
            OutsideError: a server failed.
        """
        parts = 1 + await self.rows.count(hour, hour + HOUR) // self.most_at_once
        found: list[Equation] = []
        for part in range(parts):
            start, end = hour + HOUR * part / parts, hour + HOUR * (part + 1) / parts
            known_here, traces = await self._traces(start, end, known)
            due = [trace for trace in traces.values() if trace.ended_at <= due_by]
            for at in range(0, len(due), _SLICE):
                found += equations(hour, due[at : at + _SLICE], known_here)
                await asyncio.sleep(0)
        return merged(found)

    async def _traces(self, start: datetime, end: datetime, known: Known) -> tuple[Known, dict[str, Trace]]:
        traces = {trace.call_id: trace async for trace in self._recorded(start, end)}
        begins = await self._read_raw(traces, start, end, known) if known.raw_kept else {}
        for call_id, stored in (await self.rows.traces(start, end)).items():
            trace = traces.setdefault(call_id, stored)
            trace.row, trace.tenant_id, trace.ended_at = stored.row, stored.tenant_id, stored.ended_at
        if known.raw_kept:
            await self._look_for_raw(traces, begins, end, known)
        await self._look_downstream(traces, start, end)
        unsure = [trace.call_id for trace in traces.values() if trace.raw is None or trace.row is None or not trace.events]
        for call_id, letters in (await self.rows.letters(unsure)).items():
            traces[call_id].letters = letters
        return replace(known, raw_begins=begins), traces

    async def _recorded(self, start: datetime, end: datetime) -> AsyncIterator[Trace]:
        async for result in search_all(self.recorder, start, end):
            for segment in result.segments:
                # A search over a repeated hour of the recorder's clock tells of both.
                if segment.ended_at is not None and start <= segment.started_at < end:
                    tenant_id = self.tenants.current().tenant_of(segment.service, segment.skill)
                    call_id = call_id_of(segment.inum, self.recorder_id)
                    yield Trace(call_id, tenant_id, segment.started_at, segment.ended_at, at_recorder=True)

    async def _read_raw(self, traces: dict[str, Trace], start: datetime, end: datetime, known: Known) -> dict[int, int]:
        """Read `calls.raw` from the first of these calls on, for as long as they are written as a rule; return what each partition begins at."""
        stretches = await self.reader.stretches(known.names.raw, start - _CLOCKS, end + self.longest_call + HOUR)
        await self._read(traces, known, {number: (each.first, each.end) for number, each in stretches.items()}, start, end)
        return {number: each.begins for number, each in stretches.items()}

    async def _look_for_raw(self, traces: dict[str, Trace], begins: dict[int, int], end: datetime, known: Known) -> None:
        """Look for records that were written later than as a rule: where the timeline says that they are, else to the topic's end."""
        raw = known.names.raw
        missing = {trace.call_id for trace in traces.values() if trace.raw is None}
        for call_id, where in (await self.rows.enriched_from(missing, raw)).items():
            traces[call_id].was_at = where
        there = [
            trace.was_at for call_id in missing if (trace := traces[call_id]).was_at and trace.was_at.offset >= begins.get(trace.was_at.partition, 0)
        ]
        await self._read(traces, known, _around(there))
        if any(traces[call_id].was_at is None and traces[call_id].at_recorder for call_id in missing):
            later = await self.reader.stretches(raw, end + self.longest_call + HOUR)
            await self._read(traces, known, {number: (each.first, each.end) for number, each in later.items()})

    async def _read(
        self, traces: dict[str, Trace], known: Known, stretches: Stretches, start: datetime | None = None, end: datetime | None = None
    ) -> None:
        """Note which calls have a record; with `start` and `end` also those that were not known before."""
        async for records in self.reader.read(known.names.raw, stretches):
            for record in records:
                try:
                    call = _decode(record.value or b"")
                except (msgspec.DecodeError, UnicodeDecodeError):
                    # No call, and a dead letter: nothing says of which hour.
                    continue
                trace = traces.get(call.call_id)
                if trace is None and start is not None and end is not None and start <= call.started_at < end:
                    trace = traces[call.call_id] = Trace(call.call_id, call.tenant_id, call.started_at, call.ended_at)
                # Of several records the one counts that is still to be read.
                if trace is not None and (trace.raw is None or record.offset >= known.committed.get(record.partition, 0)):
                    trace.raw = Coordinates(record.partition, record.offset)

    async def _look_downstream(self, traces: dict[str, Trace], start: datetime, end: datetime) -> None:
        keys = {trace.row.s3_key: trace for trace in traces.values() if trace.row is not None and trace.row.s3_key is not None}
        for key, size in (await self.objects.sizes(keys)).items():
            keys[key].stored_size = size
        for call_id, versions in (await self.asks.exported(start, end)).items():
            if call_id in traces:
                traces[call_id].exported = versions
        ids = {(trace.tenant_id, derived_id(trace.tenant_id, trace.call_id)): trace for trace in traces.values()}
        if ids:
            latest = max(trace.ended_at for trace in traces.values())
            for event, copies in (await self.asks.copies(ids, start - _SECOND, latest + _SECOND)).items():
                if event in ids:
                    ids[event].events = copies


def _around(there: Iterable[Coordinates]) -> Stretches:
    """Return by partition the stretch that holds all of these."""
    found: Stretches = {}
    for partition, offset in there:
        first, end = found.get(partition, (offset, offset + 1))
        found[partition] = (min(first, offset), max(end, offset + 1))
    return found
