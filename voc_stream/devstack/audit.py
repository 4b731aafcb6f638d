"""Counts what became of calls, in every place that must know of them: PostgreSQL, S3, ClickHouse, `voc.calls`, the dead letters."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from voc_stream import topics
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.events.base import MalformedError
from voc_stream.events.voc import decode_voc
from voc_stream.settings import Settings
from voc_stream.stages.changes import FINAL, Status

_CALLS = """
SELECT c.call_id, c.status, c.status_reason, c.ended_at, c.started_at, a.s3_key, a.size_bytes,
       (SELECT count(*) FROM scoring_result r WHERE r.call_id = c.call_id) AS results,
       (SELECT max(r.created_at) FROM scoring_result r WHERE r.call_id = c.call_id) AS scored_at,
       (SELECT max(r.score) FROM scoring_result r WHERE r.call_id = c.call_id) AS score,
       (SELECT max(r.transcript_key) FROM scoring_result r WHERE r.call_id = c.call_id) AS transcript_key
FROM call c LEFT JOIN audio_asset a USING (call_id) WHERE c.call_id = ANY($1::varchar[])
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One call as PostgreSQL has it."""

    call_id: str
    status: Status
    reason: str | None
    started_at: datetime
    ended_at: datetime
    s3_key: str | None
    results: int
    scored_at: datetime | None
    score: float | None
    transcript_key: str | None


@dataclass(slots=True)
class Findings:
    """What an audit found: how many calls ended how, and every place that does not agree."""

    states: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Seconds from the end of a call to its result, 95th percentile; 0 without results."""
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] if ordered else 0.0


class Audit:
    """Looks into the real servers; use as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._db = Database(settings)
        self._objects = ObjectStore(settings)
        self._warehouse = Warehouse(settings)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._objects.open()
        for client in (self._db, self._objects, self._warehouse):
            self._stack.push_async_callback(client.close)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def rows(self, call_ids: Collection[str]) -> dict[str, Row]:
        """Return PostgreSQL's rows of these calls."""
        async with self._db.connection() as connection:
            found = await connection.fetch(_CALLS, list(call_ids))
        return {row["call_id"]: _row(dict(row)) for row in found}

    async def states(self, call_ids: Collection[str]) -> Counter[str]:
        """Return how many of the calls are in which status; `UNKNOWN` counts those that PostgreSQL has not heard of."""
        rows = await self.rows(call_ids)
        counts = Counter(str(row.status) for row in rows.values())
        counts["UNKNOWN"] = len(set(call_ids)) - len(rows)
        return counts

    async def pending(self, call_ids: Collection[str]) -> list[str]:
        """Return the calls that are not in a final state, each with where it is."""
        rows = await self.rows(call_ids)
        return [f"{call_id}: {rows[call_id].status if call_id in rows else 'unknown'}" for call_id in call_ids if _open(rows.get(call_id))]

    async def exported(self) -> Counter[str]:
        """Return how many rows ClickHouse shows by call_id."""
        found = await self._warehouse.query("SELECT call_id, count() AS n FROM call_scores FINAL GROUP BY call_id")
        return Counter({row["call_id"]: int(row["n"]) for row in found})

    async def examine(self, call_ids: Collection[str], *, words: bool = True) -> Findings:
        """Hold every place against PostgreSQL; a finding names the call and the place.

        Args:
            call_ids: of the calls to look at.
            words: whether the scoring service hears words, so that each scored call must have a transcript and an event in `voc.calls`.
        """
        findings = Findings()
        rows = await self.rows(call_ids)
        exported = await self.exported()
        events = await self.event_ids(topics.VOC_CALLS)
        letters = await self.dead_letters()
        for call_id in call_ids:
            row = rows.get(call_id)
            if row is None:
                findings.problems.append(f"{call_id}: PostgreSQL has no row")
                findings.states["PENDING"] += 1
                continue
            findings.states["PENDING" if _open(row) else str(row.status)] += 1
            findings.problems += [f"{call_id}: {problem}" for problem in await self._disagreements(row, exported, events, letters)]
            if words and row.status is Status.SCORED and row.transcript_key is None:
                findings.problems.append(f"{call_id}: it is scored but has no transcript")
            if row.scored_at is not None:
                findings.delays.append((row.scored_at - row.ended_at).total_seconds())
        return findings

    async def event_ids(self, topic: str) -> Mapping[str, set[str]]:
        """Return, by call_id, the event ids that a topic of customer events holds; what others sent there and is none does not count."""
        found: dict[str, set[str]] = defaultdict(set)
        for record in await read_all(self._settings, topic):
            with contextlib.suppress(MalformedError):
                event = decode_voc(record.value)
                found[event.call_id or ""].add(str(UUID(event.event_id)))
        return found

    async def dead_letters(self) -> set[str]:
        """Return the keys of all dead letters of the calls pipeline."""
        twins = [topic.dead_letter.name for topic in topics.CALLS_PIPELINE if topic.dead_letter is not None]
        records = await asyncio.gather(*(read_all(self._settings, twin) for twin in twins))
        return {(record.key or b"").decode() for batch in records for record in batch}

    async def _disagreements(self, row: Row, exported: Counter[str], events: Mapping[str, set[str]], letters: set[str]) -> list[str]:
        problems = []
        scored = row.status is Status.SCORED
        if row.s3_key is not None and await self._objects.head(row.s3_key) is None:
            problems.append("S3 has no recording")
        if scored and row.s3_key is None:
            problems.append("it is scored but has no recording")
        if row.status in {Status.SCORED, Status.NOT_SCORABLE}:
            problems += [f"PostgreSQL has {row.results} results"] if row.results != 1 else []
            problems += [f"ClickHouse shows {exported[row.call_id]} rows"] if exported[row.call_id] != 1 else []
        if scored and row.score is None:
            problems.append("it is scored without a score")
        if len(events.get(row.call_id, ())) != (0 if row.transcript_key is None else 1):
            problems.append(f"voc.calls has {len(events.get(row.call_id, ()))} events of it")
        if row.transcript_key is not None and await self._objects.head(row.transcript_key) is None:
            problems.append("S3 has no transcript")
        if row.status is Status.ERROR and row.call_id not in letters:
            problems.append("it is in error but has no dead letter")
        return problems


async def read_all(settings: Settings, topic: str) -> list[Any]:
    """Return every record that a topic holds now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=list(settings.kafka_bootstrap), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or await _partitions(consumer, topic)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
        missing = {partition: end for partition, end in ends.items() if end > begins[partition]}
        records: list[Any] = []
        while missing:
            for partition, batch in (await consumer.getmany(timeout_ms=500)).items():
                records += batch
                if batch[-1].offset + 1 >= ends[partition]:
                    missing.pop(partition, None)
        return records
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    consumer.subscribe([topic])
    found: set[int] = set()
    while not found:
        await consumer._client.force_metadata_update()  # noqa: SLF001 - the consumer learns of a topic only when it reads it
        found = consumer.partitions_for_topic(topic) or set()
    consumer.unsubscribe()
    return found


def _row(row: Mapping[str, Any]) -> Row:
    return Row(
        call_id=row["call_id"],
        status=Status(row["status"]),
        reason=row["status_reason"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        s3_key=row["s3_key"],
        results=row["results"],
        scored_at=row["scored_at"],
        score=None if row["score"] is None else float(row["score"]),
        transcript_key=row["transcript_key"],
    )


def _open(row: Row | None) -> bool:
    return row is None or row.status not in FINAL
