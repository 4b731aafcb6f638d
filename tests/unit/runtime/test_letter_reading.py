"""A dead letter taken apart is the original and why (spec section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.world import BEGAN, TOPIC, record
from voc_stream.runtime.dead_letter import cut, dead_letter_record, fingerprint
from voc_stream.runtime.letter_reading import MOST_BYTES, StoredLetter, read_letter
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.stages.outcome import DeadLetter, Facts
from voc_stream.stages.requeue_mark import RequeueMark

FACTS = Facts(now=BEGAN, topic=TOPIC, partition=3, offset=17, attempt=5, failing_since=BEGAN.replace(minute=1))
WHY = DeadLetter("attempts_exhausted", "scorer: it answered 500 (after 5 attempts)", stack="a.b:1")
Header = tuple[str, Any]


def in_kafka(letter: Outgoing, offset: int = 5) -> ConsumerRecord:
    """Return a letter as the consumer gets it."""
    partition = letter.partition or 0
    timestamp = int(BEGAN.timestamp() * 1000)
    return ConsumerRecord(letter.topic, partition, offset, timestamp, 0, letter.key, letter.value, None, 0, 0, letter.headers)


def read_back(value: bytes | None, *, key: bytes | None = b"key", headers: Sequence[Header] = (), topic: str = TOPIC) -> StoredLetter:
    """Return what is read of a record that our code gave up."""
    original = replace(record(17, b"", key=key, headers=tuple(headers), partition=3), value=value)
    return read_letter(in_kafka(dead_letter_record(original, replace(FACTS, topic=topic), "score", WHY)))


def foreign(value: bytes | None, headers: Sequence[Header] = ()) -> StoredLetter:
    """Return what is read of a record that somebody else wrote."""
    return read_letter(in_kafka(Outgoing("calls.raw.dlq", b"c-1", value, tuple(headers))))


@given(
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(st.text() | st.sampled_from(["voc-dlq-stage", "voc-dlq-cut", "voc-dlq-error-type"]), st.none() | st.binary())),
)
def test_key_value_and_headers_come_back_byte_for_byte_whatever_they_are(key: bytes | None, value: bytes | None, headers: list[Header]) -> None:
    letter = read_back(value, key=key, headers=headers)

    assert (letter.key, letter.value, list(letter.headers)) == (key, value, headers)
    assert (letter.stage, letter.error_type, letter.cut_from) == ("score", "attempts_exhausted", None)


def test_the_letter_says_why_where_and_when() -> None:
    letter = read_back(b'{"tenant_id": "acme", "call_id": "c-1", "customer_id": "c049765", "extra": {}}')

    assert (letter.topic, letter.partition, letter.offset) == (TOPIC, 3, 17)
    assert (letter.dlq_topic, letter.dlq_partition, letter.dlq_offset, letter.written_at) == ("notes.dlq", 3, 5, BEGAN)
    assert (letter.reason, letter.stack, letter.retries) == (WHY.reason, WHY.stack, 4)
    assert (letter.first_failed_at, letter.last_failed_at) == (BEGAN.replace(minute=1), BEGAN)
    assert letter.fingerprint == fingerprint("score", WHY)
    assert (letter.tenant_id, letter.call_id, letter.customer) == ("acme", "c-1", "c049765")
    assert (letter.id, letter.state, letter.requeues, letter.requeued_from) == (None, "open", 0, None)


def test_its_repr_shows_nothing_of_the_original() -> None:
    shown = repr(read_back(b'{"customer_id": "canary"}', key=b"canary", headers=[("canary", b"canary")]))

    assert "canary" not in shown


def test_a_record_that_was_sent_back_names_its_letter_and_loses_the_mark() -> None:
    letter = read_back(b"x", headers=RequeueMark(41, 2).added_to([("trace", b"1")]))

    assert (letter.requeued_from, letter.requeues, letter.headers) == (41, 2, (("trace", b"1"),))


@pytest.mark.parametrize("value", [None, b"", b"{", b"[1]", b'"x"', b"\xff", b"[" * 200_000, b'{"call_id": 7, "tenant_id": ["a"]}', b"1" * 5000])
def test_of_a_value_that_cannot_be_read_the_key_tells_the_call_where_it_is_one(value: bytes | None) -> None:
    letter = read_back(value, key=b"c-1", topic="calls.raw")
    assert (letter.tenant_id, letter.call_id, letter.customer) == (None, "c-1", None)
    assert read_back(value, key=b"c-1", topic="voc.calls").call_id is None


def test_ids_that_are_none_of_ours_are_not_taken() -> None:
    letter = read_back(b'{"tenant_id": "a\\u0000b", "call_id": "../../etc/passwd", "customer_id": 7}', key=b"\xff")
    assert (letter.tenant_id, letter.call_id, letter.customer) == (None, None, None)


def test_what_was_cut_says_from_how_many_bytes() -> None:
    whole = dead_letter_record(record(17, b"x" * 100_000), FACTS, "score", WHY)

    letter = read_letter(in_kafka(cut(whole)))

    assert (letter.cut_from, len(letter.value or b"")) == (100_000, 64 << 10)


def test_of_a_record_larger_than_any_stage_takes_the_beginning_is_kept() -> None:
    letter = read_back(b"x" * MOST_BYTES, headers=[("a", None), ("b", b"1")])

    assert (letter.cut_from, letter.value, letter.headers) == (MOST_BYTES, b"x" * (64 << 10), ())


def test_what_the_recorder_told_has_no_place_in_kafka() -> None:
    headers = [("voc-dlq-error-type", b"malformed"), ("voc-dlq-topic", b"calls.polled"), ("voc-dlq-stage", b"poll"), ("voc-dlq-cut-from-bytes", b"9")]
    letter = foreign(b"<result/>", headers)

    assert (letter.topic, letter.partition, letter.offset, letter.stage, letter.cut_from) == ("calls.polled", None, None, "poll", 9)


def test_what_somebody_else_wrote_is_a_letter_too() -> None:
    letter = foreign(b"hello", [("voc-dlq-offset", b"7")])

    assert (letter.topic, letter.stage, letter.error_type, letter.offset) == ("calls.raw", "unknown", "unknown", None)
    assert letter.headers == (("voc-dlq-offset", b"7"),)
    assert (letter.first_failed_at, letter.last_failed_at) == (BEGAN, BEGAN)
    assert len(letter.fingerprint) == 16


@pytest.mark.parametrize("bad", [None, b"", b"\xff", b"-1", b"x" * 3000, "٣".encode(), b"2026-11-22T06:00:00", b"0000"])
def test_bad_headers_of_ours_are_no_obstacle(bad: bytes | None) -> None:
    names = (
        "error-type",
        "reason",
        "stage",
        "retries",
        "topic",
        "partition",
        "offset",
        "first-failure",
        "last-failure",
        "fingerprint",
        "stack",
        "cut",
    )
    letter = foreign(b"x", [(f"voc-dlq-{name}", bad) for name in names])

    assert (letter.first_failed_at, letter.last_failed_at) == (BEGAN, BEGAN)
    assert max(map(len, (letter.stage, letter.error_type, letter.fingerprint))) <= 64
    assert "\x00" not in letter.reason


def test_a_nul_in_a_reason_is_replaced_because_postgresql_holds_none() -> None:
    letter = foreign(b"x", [("voc-dlq-error-type", b"bad"), ("voc-dlq-reason", b"a\x00b")])
    assert letter.reason == "a\N{REPLACEMENT CHARACTER}b"


def test_a_record_without_a_timestamp_is_of_the_beginning_of_time() -> None:
    kafka = replace(in_kafka(Outgoing("calls.raw.dlq", None, b"x")), timestamp=-1)
    assert read_letter(kafka).written_at == datetime(1970, 1, 1, tzinfo=UTC)
