"""An event as a RowBinary row: read back by ClickHouse's rules (tests/integration/warehouse reads it back by ClickHouse)."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.voc import PROCESSED_MS, TIMESTAMP, action_value, call_value, event_id, row_of
from voc_stream.stages import event_rows
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.event_rows import COLUMNS

SAD = Annotation(-0.5, "rule", "en", "billing", 0.75, "head")


class Reader:
    """Takes values off the front of a row."""

    def __init__(self, row: bytes) -> None:
        self.rest = row

    def take(self, size: int) -> bytes:
        taken, self.rest = self.rest[:size], self.rest[size:]
        assert len(taken) == size
        return taken

    def number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)))[0]

    def bytes(self) -> bytes:
        length = shift = 0
        while True:
            (byte,) = self.take(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return self.take(length)

    def text(self) -> str:
        return self.bytes().decode()

    def nullable(self, kind: str) -> Any:
        if self.take(1) == b"\x01":
            return None
        return self.text() if kind == "text" else self.number(kind)


def read(row: bytes) -> dict[str, Any]:
    reader = Reader(row)
    upper, lower = reader.number("Q"), reader.number("Q")
    numbers = [reader.number(kind) for kind in "qqiq"]
    words = [reader.text() for _ in range(7)]
    findings = [reader.nullable(kind) for kind in ("f", "f", "text")]
    rest = [reader.text() for _ in range(3)]
    values = [uuid.UUID(int=upper << 64 | lower), *numbers, *words, *findings, *rest, reader.bytes()]
    assert reader.rest == b""
    return dict(zip(COLUMNS, values, strict=True))


def test_a_row_holds_the_event_its_annotation_and_its_place_in_kafka() -> None:
    value = call_value()
    assert read(row_of(value, 7, SAD, partition=3)) == {
        "event_id": event_id(1),
        "ts": (TIMESTAMP - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
        "processed_at": PROCESSED_MS,
        "kafka_partition": 3,
        "kafka_offset": 7,
        "tenant_id": "acme",
        "event_type": "call",
        "kafka_incarnation": "1",
        "kafka_topic": "voc.calls",
        "sentiment_source": "rule",
        "language": "en",
        "topic_source": "head",
        "sentiment": -0.5,
        "topic_confidence": 0.75,
        "topic": "billing",
        "agent_id": "agent1",
        "call_id": "c1",
        "customer_id": "k1",
        "payload": value,
    }


def test_the_same_event_gives_the_same_row() -> None:
    assert row_of(call_value(), 7, SAD) == row_of(call_value(), 7, SAD)


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1000, 123_999, 999_999])
def test_a_time_is_cut_to_the_millisecond_and_never_rounded_up(microsecond: int) -> None:
    moment = TIMESTAMP.replace(microsecond=microsecond)
    assert read(row_of(call_value(timestamp=moment), 0))["ts"] % 1000 == microsecond // 1000


@pytest.mark.parametrize("annotation", [Annotation(0.0, "rule"), Annotation(topic="other"), Annotation(-1.0, topic="other", topic_confidence=1.0)])
def test_each_finding_may_be_missing(annotation: Annotation) -> None:
    row = read(row_of(call_value(), 0, annotation))
    assert (row["sentiment"], row["topic"], row["topic_confidence"]) == (annotation.sentiment, annotation.topic, annotation.topic_confidence)


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 64, "漢" * 64])
def test_ids_of_any_length_and_script_are_kept(name: str) -> None:
    row = read(row_of(action_value(agent_id=name or "a", customer_id=name or None), 0))
    assert (row["agent_id"], row["customer_id"], row["call_id"]) == (name or "a", name, "")


@pytest.mark.parametrize("length", [1, 120, 127, 128, 16_383, 16_384, 1_000_000])
def test_payloads_of_any_length_are_kept(length: int) -> None:
    value = call_value(transcript="x" * length)
    assert read(row_of(value, 0))["payload"] == value


def test_what_is_kept_of_tenants_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_rows, "_WORDS_KEPT", 10)
    for number in range(50):
        assert read(row_of(call_value(tenant_id=f"t{number}"), 0))["tenant_id"] == f"t{number}"
    assert len(event_rows._words) <= 10
