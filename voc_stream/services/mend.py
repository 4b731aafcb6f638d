"""Closes gaps of the completeness ledger, each at the place where it is: what is done twice shows once (docs/completeness.md)."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.completeness_asks import CompletenessAsks
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.recordings import Recordings
from voc_stream.clients.topic_reader import Record, TopicReader, time_of
from voc_stream.errors import NotThereYetError, RejectedError
from voc_stream.events.base import MalformedError, derived_id, encode
from voc_stream.events.calls import EnrichedCall, ScoringResult
from voc_stream.events.voc import VocEvent, decode_voc
from voc_stream.logs import get_logger
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.runtime.window_lane import Cleans
from voc_stream.security.vault import Vault
from voc_stream.services.annotating import Annotates
from voc_stream.services.composite import Composite
from voc_stream.services.export import LARGEST_TRANSCRIPT
from voc_stream.services.poller import sealed_call
from voc_stream.services.searching import Searches, search_all
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.stages.changes import Downloaded
from voc_stream.stages.completeness import Gap, Names, Remedy
from voc_stream.stages.download import accept
from voc_stream.stages.event_rows import EventBlock
from voc_stream.stages.export import call_event, read_transcript, wants_transcript
from voc_stream.stages.keys import call_id_of, inum_of
from voc_stream.stages.outcome import Facts, Ok
from voc_stream.stages.ranges import Place

logger = get_logger(__name__)

# Gaps that are closed with one question to each server.
AT_ONCE = 100
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What gaps are closed with."""

    calls: CallStore
    rows: CompletenessRows
    objects: ObjectStore
    recorder: Searches
    recordings: Recordings
    warehouse: Warehouse
    composite: Composite
    annotating: Annotates
    privacy: Cleans
    publisher: Publishes
    vault: Vault
    tenants: TenantsFile
    settings: Settings
    names: Names = field(default_factory=Names)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(slots=True)
class Mended:
    """What was done: how many gaps by remedy, and what could not be done with the reason."""

    done: Counter[Remedy] = field(default_factory=Counter)
    left: list[tuple[Gap, str]] = field(default_factory=list)


class Mender:
    """Closes gaps. What goes through topics is done once the workers have read it.

    Args:
        tools: opened by their owner.
        reader: reads records that are to be done again.
    """

    def __init__(self, tools: Tools, reader: TopicReader) -> None:
        self._tools = tools
        self._reader = reader
        self._asks = CompletenessAsks(tools.warehouse)
        # Of this run: a token that ClickHouse knows would make it drop a row that somebody deleted since.
        self._run = uuid.uuid4().hex
        self._mended = Mended()
        self._days: set[date] = set()
        self._tenants: set[str] = set()

    async def mend(self, gaps: Iterable[Gap]) -> Mended:
        """Close those that have a remedy, events before what is told of them anew.

        Raises:
            OutsideError: a server failed; what was done stays, and nothing is done twice by the next run.
        """
        by_remedy: defaultdict[Remedy, list[Gap]] = defaultdict(list)
        for gap in gaps:
            if gap.remedy is not None:
                by_remedy[gap.remedy].append(gap)
        ways: tuple[tuple[Remedy, Callable[[Sequence[Gap]], Awaitable[None]]], ...] = (
            (Remedy.POLL, self._poll),
            (Remedy.ENRICH, self._enrich),
            (Remedy.COPY, self._copy),
            (Remedy.ONWARD, self._onward),
            (Remedy.SCORE, self._onward),
            (Remedy.EXPORT, self._export),
            (Remedy.STORE, self._store),
            (Remedy.TELL, self._tell),
        )
        for remedy, way in ways:
            for some in _pieces(sorted(by_remedy[remedy], key=lambda gap: gap.at)):
                before = len(self._mended.left)
                await way(some)
                self._mended.done[remedy] += len(some) - (len(self._mended.left) - before)
        if self._days:
            # Views still count a row that somebody deleted by hand, and now its like as well.
            await self._tools.warehouse.rebuild_views(self._days, self._tenants)
        return self._mended

    def _leave(self, gap: Gap, reason: str) -> None:
        self._mended.left.append((gap, reason))

    async def _poll(self, gaps: Sequence[Gap]) -> None:
        await self._from_recorder(gaps, self._tools.names.polled)

    async def _enrich(self, gaps: Sequence[Gap]) -> None:
        """From its record where there is one, else as the recorder tells of it; past the dedup stage, which knows the call."""
        await self._from_recorder([gap for gap in gaps if gap.where is None], self._tools.names.raw)
        for gap in gaps:
            if gap.where is None:
                continue
            record = await self._reader.record(gap.topic, *gap.where)
            if record is None:
                self._leave(gap, "its record is gone")
            else:
                await self._tools.publisher.publish([Outgoing(self._tools.names.raw, record.key, record.value, tuple(record.headers))])

    async def _from_recorder(self, gaps: Sequence[Gap], topic: str) -> None:
        if not gaps:
            return
        tools, wanted = self._tools, {gap.subject: gap for gap in gaps}
        recorder_id = tools.settings.avaya_recorder_id
        async for result in search_all(tools.recorder, gaps[0].at, gaps[-1].at):
            found = [segment for segment in result.segments if wanted.pop(call_id_of(segment.inum, recorder_id), None) is not None]
            calls = [call for segment in found if (call := sealed_call(segment, recorder_id, tools.vault, tools.tenants)) is not None]
            await tools.publisher.publish([Outgoing(topic, call.call_id.encode(), encode(call)) for call in calls])
        for gap in wanted.values():
            self._leave(gap, "the recorder knows it no more")

    async def _copy(self, gaps: Sequence[Gap]) -> None:
        calls = await self._tools.rows.enriched([gap.subject for gap in gaps])
        for gap in gaps:
            call = calls.get(gap.subject)
            reason = "its row is gone" if call is None else await self._copied(call)
            if reason is not None:
                self._leave(gap, reason)

    async def _copied(self, call: EnrichedCall) -> str | None:
        """Copy a recording again; return why that is not possible. Status and score of the call stay as they are."""
        tools = self._tools
        try:
            copied = await tools.recordings.copy(call, inum_of(call.call_id, tools.settings.avaya_recorder_id))
        except NotThereYetError:
            return "the recorder has its recording no more"
        except RejectedError as error:
            return str(error)
        match accept(call, copied, Facts(tools.now(), "", -1, -1), ""):
            case Ok(change=Downloaded(audio=audio)):
                before = await tools.calls.asset(call.call_id)
                if before is not None and before.sha256 != audio.sha256:
                    logger.warning("the recorder gave another recording than before", call_id=call.call_id, tenant_id=call.tenant_id)
                await tools.rows.add_assets([audio])
                return None
            case _:
                return "what the recorder gave is not audio"

    async def _onward(self, gaps: Sequence[Gap]) -> None:
        """Publish again what the stage that a call waits for reads."""
        tools = self._tools
        calls = await tools.rows.enriched([gap.subject for gap in gaps])
        for gap in gaps:
            audio = await tools.calls.asset(gap.subject)
            if audio is not None:
                await tools.publisher.publish([Outgoing(tools.names.ready, gap.subject.encode(), encode(audio))])
            elif gap.remedy is Remedy.ONWARD and gap.subject in calls:
                await tools.publisher.publish([Outgoing(tools.names.enriched, gap.subject.encode(), encode(calls[gap.subject]))])
            else:
                self._leave(gap, "it has no recording; download it first")

    async def _results(self, gaps: Sequence[Gap]) -> list[ScoringResult]:
        versions = await self._tools.rows.model_versions([gap.subject for gap in gaps])
        found = [await self._tools.calls.result(*each) for each in versions]
        return [result for result in found if result is not None]

    async def _export(self, gaps: Sequence[Gap]) -> None:
        results = await self._results(gaps)
        await self._tools.warehouse.insert_scores(results, f"{self._run}:{gaps[0].subject}")
        await self._tools.composite.scored(results)

    async def _tell(self, gaps: Sequence[Gap]) -> None:
        """Send events to their topic, unless they were stored since."""
        tools = self._tools
        results = {result.call_id: result for result in await self._results(gaps) if wants_transcript(result)}
        ids = {(result.tenant_id, derived_id(result.tenant_id, result.call_id)) for result in results.values()}
        times = [result.ended_at for result in results.values()]
        stored = await self._asks.copies(ids, min(times) - _DAY, max(times) + _DAY) if times else {}
        for gap in gaps:
            result = results.get(gap.subject)
            if result is None or result.transcript_key is None:
                self._leave(gap, "it has no result with a transcript any more")
            elif (result.tenant_id, derived_id(result.tenant_id, result.call_id)) not in stored:
                try:
                    transcript = read_transcript(await tools.objects.get_bytes(result.transcript_key, LARGEST_TRANSCRIPT))
                except RejectedError as error:
                    self._leave(gap, f"its transcript cannot be read ({error})")
                    continue
                value = encode(call_event(result, transcript))
                await tools.publisher.publish([Outgoing(tools.names.events, result.call_id.encode(), value)])

    async def _store(self, gaps: Sequence[Gap]) -> None:
        """Insert events from their records, past the dedup, which knows them."""
        found: list[tuple[VocEvent, Record]] = []
        for gap in gaps:
            record = None if gap.where is None else await self._reader.record(gap.topic, *gap.where)
            try:
                if record is None:
                    self._leave(gap, "its record is gone")
                elif not await self._is_stored(record):
                    found.append((decode_voc(record.value), record))
            except MalformedError as error:
                self._leave(gap, str(error))
        if found:
            await self._insert(found)

    async def _is_stored(self, record: Record) -> bool:
        incarnation = self._tools.settings.kafka_incarnation
        return bool(await self._tools.warehouse.stored_offsets(incarnation, record.topic, record.partition, record.offset, record.offset))

    async def _insert(self, found: Sequence[tuple[VocEvent, Record]]) -> None:
        tools, events = self._tools, [event for event, _ in found]
        await tools.privacy.refresh()
        values = await tools.privacy.clean(events, [record.value or b"" for _, record in found])
        await tools.annotating.open()
        annotations = await tools.annotating.annotate(events)
        incarnation = tools.settings.kafka_incarnation
        block = EventBlock()
        for (_, record), event, value, annotation in zip(found, events, values, annotations, strict=True):
            # Not now: alerts would take it for news.
            written_ms = int(time_of(record).timestamp() * 1000)
            block.add([event], [value], [record.offset], [annotation], Place(incarnation, record.topic, record.partition), written_ms)
        await tools.warehouse.insert_events(block.encoded(), f"{self._run}:{found[0][1].topic}:{found[0][1].partition}:{found[0][1].offset}")
        self._days |= {event.timestamp.astimezone(UTC).date() for event in events}
        self._tenants |= {event.tenant_id for event in events}
        await tools.composite.heard(events, annotations)


def _pieces(gaps: Sequence[Gap]) -> Iterator[Sequence[Gap]]:
    return (gaps[at : at + AT_ONCE] for at in range(0, len(gaps), AT_ONCE))
