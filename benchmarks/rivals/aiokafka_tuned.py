"""The plain aiokafka worker in the hands of somebody who counts microseconds, for scale: the payload as it came, and orjson for the row."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import uvloop

from benchmarks.rivals.aiokafka_batches import main
from benchmarks.rivals.work import EVENT, Call, score


def _row(value: bytes) -> bytes:
    event = EVENT.validate_json(value)
    text = event.transcript if isinstance(event, Call) else ""
    line: bytes = orjson.dumps(
        {
            "event_id": event.event_id,
            "tenant_id": event.tenant_id,
            "event_type": event.event_type,
            "ts": event.timestamp,
            "payload": value.decode(),
            "sentiment": score(text) if text else None,
            "topic": None,
            "processed_at": datetime.now(UTC),
        }
    )
    return line


def _body(values: list[bytes]) -> bytes:
    return b"\n".join([_row(value) for value in values]) + b"\n"


if __name__ == "__main__":
    uvloop.run(main(_body))
