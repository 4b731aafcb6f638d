"""Events in `voc_events` that arrived when a test says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tests.voc import block_of, call_value
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.ranges import Place

# Rows of other days would be dropped: the minutes are kept for three.
NOW = datetime.now(UTC).replace(second=30, microsecond=0)

_offsets = itertools.count()


async def arrive(
    warehouse: Warehouse,
    feelings: Sequence[float | None],
    *,
    ago: float = 0,
    tenant_id: str = "acme",
    topic: str | None = None,
    age: float = 0,
    times: int = 1,
    first: int | None = None,
) -> int:
    """Insert calls as one window, `times` with the same token.

    Args:
        warehouse: where to.
        feelings: the sentiment of each call.
        ago: minutes before NOW at which they arrived.
        tenant_id: whose.
        topic: of all of them.
        age: minutes that they were old when they arrived.
        times: how often the window is sent.
        first: its first offset; None: one that no other window has.

    Returns:
        Its first offset.
    """
    at = NOW - timedelta(minutes=ago)
    rows = []
    first = next(_offsets) * 100_000 if first is None else first
    for place, feeling in enumerate(feelings):
        offset = first + place
        value = call_value(offset, tenant_id=tenant_id, timestamp=at - timedelta(minutes=age))
        annotation = Annotation(feeling, "rule", "en", topic, None if topic is None else 0.9, "head")
        rows.append((value, annotation))
    block = block_of(rows, first, Place("1", "voc.calls", 0), int(at.timestamp() * 1000))
    for _ in range(times):
        await warehouse.insert_events(block, f"1:voc.calls:0:{first}-{first + len(rows) - 1}")
    return first
