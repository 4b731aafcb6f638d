"""ClickHouse: results and customer events in, queries out, and its errors in our own terms (voc_stream.errors)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.voc_minutes import rebuild_minutes
from voc_stream.clients.voc_sums import Difference, VocSums
from voc_stream.events.calls import ScoringResult
from voc_stream.stages.event_rows import COLUMNS
from voc_stream.tracing.current import told_as

# Statements over whole months take longer than CLICKHOUSE_TIMEOUT_SECONDS.
PATIENCE_SECONDS = 3600.0

# Columns of `call_scores` with their types: told to the driver, because asking the server at each insert costs more than the insert.
CALL_SCORES = {
    "call_id": "String",
    "model_version": "LowCardinality(String)",
    "tenant_id": "LowCardinality(String)",
    "agent_id": "LowCardinality(String)",
    "skill": "LowCardinality(String)",
    "service": "LowCardinality(String)",
    "switch_call_id": "String",
    "started_at": "DateTime64(3, 'UTC')",
    "ended_at": "DateTime64(3, 'UTC')",
    "duration": "Float64",
    "outcome": "LowCardinality(String)",
    "reason": "LowCardinality(String)",
    "score": "Nullable(Float64)",
    "breakdown": "String",
    "asr_model": "LowCardinality(String)",
    "latency_ms": "UInt64",
    "scored_at": "DateTime64(3, 'UTC')",
    "version": "UInt64",
}

# A token sent again adds nothing, to the table or to any view, even where a crash cut a view off from the table (docs/voc-storage.md).
_ONCE = {"async_insert": 0, "insert_deduplicate": 1, "deduplicate_blocks_in_dependent_materialized_views": 1}
# A batch may hold any number of tenants and months.
_ANY_PARTITIONS = {"max_partitions_per_insert_block": 0}
# Words are looked for by people: what merges do for them costs the stream nothing.
_WORDS_LATER = {"exclude_materialize_skip_indexes_on_insert": "transcript_words"}

# Deleted ones count as stored: a range that is formed again must not bring them back.
_STORED = """
SELECT DISTINCT kafka_offset FROM
(
    SELECT kafka_incarnation, kafka_topic, kafka_partition, kafka_offset FROM voc_events
    UNION ALL
    SELECT kafka_incarnation, kafka_topic, kafka_partition, kafka_offset FROM voc_forgotten
)
WHERE kafka_incarnation = {incarnation:String} AND kafka_topic = {topic:String} AND kafka_partition = {partition:Int32}
  AND kafka_offset BETWEEN {first:Int64} AND {last:Int64}
"""
_NEWEST = """
SELECT max(newest) AS newest, count() AS rows FROM voc_offsets
WHERE kafka_incarnation = {incarnation:String} AND kafka_topic = {topic:String} AND kafka_partition = {partition:Int32}
"""
_PARTS = "SELECT hour, sum(parts) AS made FROM voc_offsets GROUP BY hour ORDER BY hour DESC"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Warehouse(ClickHouse):
    """What the pipelines store in ClickHouse."""

    @told_as("clickhouse insert")
    async def insert_scores(self, results: Sequence[ScoringResult], token: str) -> None:
        """Insert results as one block; acknowledged when they are on disk. The same call and model again is the same row.

        Args:
            results: none is fine, too.
            token: names this block; sent again, it adds nothing.
        """
        if not results:
            return
        rows = [score_row(result) for result in results]
        await self.insert("call_scores", CALL_SCORES, rows, {"async_insert": 0, "insert_deduplication_token": token})

    @told_as("clickhouse insert")
    async def insert_events(self, block: bytes, token: str) -> None:
        """Insert events as one block, into `voc_events` and its views; acknowledged when all of them have it. Several may run at once.

        Args:
            block: of an `EventBlock`; nothing is fine, too.
            token: names this block (`incarnation:topic:partition:first-last`); sent again, even with other rows, it adds nothing.
        """
        if block:
            settings = {**_ONCE, **_ANY_PARTITIONS, **_WORDS_LATER, "insert_deduplication_token": token}
            await self.insert_block("voc_events", COLUMNS, block, settings)

    async def stored_offsets(self, incarnation: str, topic: str, partition: int, first: int, last: int) -> set[int]:
        """Return which of the offsets from `first` to `last` have a row in `voc_events`, or had one that was deleted on purpose."""
        where = {"incarnation": incarnation, "topic": topic, "partition": partition, "first": first, "last": last}
        return {row["kafka_offset"] for row in await self.query(_STORED, where)}

    async def newest_offset(self, incarnation: str, topic: str, partition: int) -> int | None:
        """Return the highest offset of a partition that was ever stored, or None."""
        (row,) = await self.query(_NEWEST, {"incarnation": incarnation, "topic": topic, "partition": partition})
        return row["newest"] if row["rows"] else None

    async def tokens_since(self) -> datetime:
        """Return the moment from which on every token is remembered: a window that was written down later may be sent again as it is."""
        room = self._settings.clickhouse_token_window
        hours = await self.query(_PARTS)
        for row in hours:
            room -= row["made"]
            if room < 0:
                hour: datetime = row["hour"].replace(tzinfo=UTC)
                return hour + timedelta(hours=1)
        return _EPOCH

    async def view_differences(self, days: Collection[date] = (), tenants: Collection[str] = ()) -> list[Difference]:
        """Return where the views differ from `voc_events`: on these days and for these tenants, or everywhere. See `VocSums.differences`."""
        async with self.patient() as client:
            return await VocSums(client).differences(days, tenants)

    async def rebuild_views(self, days: Collection[date], tenants: Collection[str] = ()) -> None:
        """Make the views of these days (UTC) anew from `voc_events`; inserts are refused meanwhile. See `VocSums.rebuild`."""
        async with self.patient() as client:
            await VocSums(client).rebuild(days, tenants)
            if days:
                await rebuild_minutes(client)

    @asynccontextmanager
    async def patient(self) -> AsyncIterator[ClickHouse]:
        """Lend a client for statements over whole months."""
        client = ClickHouse(self._settings.model_copy(update={"clickhouse_timeout_seconds": PATIENCE_SECONDS}))
        try:
            yield client
        finally:
            await client.close()

    async def probe(self) -> None:
        """Ask whether our tables are there."""
        await self.query("SELECT call_id FROM call_scores LIMIT 0")
        await self.query("SELECT event_id FROM voc_events LIMIT 0")


def score_row(result: ScoringResult) -> list[Any]:
    """Return a result as a row of `call_scores`, made of the event alone, so that a replay gives the same row."""
    return [
        result.call_id,
        result.model_version,
        result.tenant_id,
        result.agent_id,
        result.skill,
        result.service,
        result.switch_call_id,
        result.started_at,
        result.ended_at,
        result.duration,
        result.outcome,
        result.reason or "",
        result.score,
        msgspec.json.encode(result.breakdown).decode(),
        result.asr_model,
        result.latency_ms,
        result.scored_at,
        (result.scored_at - _EPOCH) // timedelta(microseconds=1),
    ]
