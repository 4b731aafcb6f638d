"""Customer events for tests: every value fixed, only what a test is about is given."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.events.voc import decode_voc
from voc_stream.stages.annotation import NOTHING, Annotation
from voc_stream.stages.event_rows import EventBlock
from voc_stream.stages.ranges import Place

TIMESTAMP = datetime(2026, 11, 22, 10, 15, 30, 123_456, tzinfo=UTC)
PROCESSED_MS = 1_795_342_531_500
_ACTION = {"event_type": "agent_action", "tenant_id": "acme", "timestamp": TIMESTAMP, "agent_id": "agent1", "action": "transfer"}
_CALL = {"event_type": "call", "tenant_id": "acme", "timestamp": TIMESTAMP, "agent_id": "agent1", "call_id": "c1", "customer_id": "k1"}


def event_id(number: int) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, str(number))


def action_value(number: int = 1, **fields: Any) -> bytes:
    return msgspec.json.encode({"event_id": event_id(number), **_ACTION, **fields})


def call_value(number: int = 1, **fields: Any) -> bytes:
    return msgspec.json.encode({"event_id": event_id(number), **_CALL, **fields})


def row_of(value: bytes, offset: int, annotation: Annotation = NOTHING, *, partition: int = 0, topic: str = "voc.calls") -> bytes:
    """Return a block of one row."""
    return block_of([(value, annotation)], offset, Place("1", topic, partition))


def block_of(rows: Iterable[tuple[bytes, Annotation]], first: int, place: Place, processed_ms: int = PROCESSED_MS) -> bytes:
    """Return a block of values with their annotations, at offsets from `first` on."""
    block = EventBlock()
    for offset, (value, annotation) in enumerate(rows, start=first):
        block.add([decode_voc(value)], [value], [offset], [annotation], place, processed_ms)
    return block.encoded()


async def store(warehouse: Warehouse, rows: Sequence[tuple[bytes, Annotation]], *, first: int = 0, partition: int = 0) -> None:
    """Insert values with their annotations as one window whose first offset is `first`."""
    block = block_of(rows, first, Place("1", "voc.calls", partition))
    await warehouse.insert_events(block, f"1:voc.calls:{partition}:{first}-{first + len(rows) - 1}")
