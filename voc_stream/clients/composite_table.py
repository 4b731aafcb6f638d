"""The composite scores in ClickHouse: one row a call, of which the highest revision shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.stages.composite import CallSides

TABLE = "call_composite"

COLUMNS = {
    "tenant_id": "LowCardinality(String)",
    "call_id": "String",
    "quality": "Nullable(Float64)",
    "model_version": "LowCardinality(String)",
    "scored_at": "DateTime64(3, 'UTC')",
    "sentiment": "Float64",
    "sentiment_source": "LowCardinality(String)",
    "heard_at": "DateTime64(3, 'UTC')",
    "weight": "Float64",
    "weights_version": "UInt32",
    "composite": "Nullable(Float64)",
    "revision": "UInt64",
}


class CompositeTable:
    """Tells ClickHouse what PostgreSQL holds; the natural key and the revision make every repeat harmless."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def insert(self, calls: Sequence[CallSides]) -> None:
        """Insert calls, both of whose sides are known; acknowledged when they are on disk.

        Raises:
            OutsideError: see `voc_stream.clients.clickhouse_client`.
        """
        rows = [row for call in calls if (row := composite_row(call))]
        if rows:
            await self._clickhouse.insert(TABLE, COLUMNS, rows, {"async_insert": 0})


def composite_row(call: CallSides) -> list[Any] | None:
    """Return a call as a row of `call_composite`, or None while a side is missing."""
    if call.quality is None or call.feeling is None:
        return None
    quality, composite = call.quality.score, call.composite
    return [
        call.tenant_id,
        call.call_id,
        None if quality is None else float(quality),
        call.quality.model_version,
        call.quality.scored_at,
        call.feeling.sentiment,
        call.feeling.source,
        call.feeling.heard_at,
        float(call.weight.value),
        call.weight.version,
        None if composite is None else float(composite),
        call.revision,
    ]
