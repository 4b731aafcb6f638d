"""Which values are suspected, among many that are looked at together."""

from __future__ import annotations

import json

import pytest

from voc_stream.nlp.redaction_prefilter import suspects

EVENT_ID = "00000000-0000-4000-8000-000000000123"


def _value(**members: object) -> bytes:
    return json.dumps({"event_id": EVENT_ID, **members}, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "value",
    [
        _value(transcript="call 415-555-0123 now"),
        _value(phone="4155550123"),
        # A number in the place of a name, right behind the event's id.
        _value(**{"4111111111111111": 1}),
        _value(note="one two three four five"),
        _value(note="ONE, TWO, THREE, FOUR"),
        _value(note="double five"),
        _value(customer_name="Jane"),
        _value(note="jane@example.com"),
        _value(note="số không chín một hai"),
        _value(note="+65 9123 4567"),
        b'{"transcript":"4111 1111 1111 1111"}',
    ],
)
@pytest.mark.parametrize("around", [0, 1, 40])
def test_what_may_be_personal_is_suspected_wherever_it_lies(value: bytes, around: int) -> None:
    clean = [_value(call_id="816489169124698", tenant_id="acme")] * around
    assert suspects([*clean, value, *clean, value]) == [around, 2 * around + 1]


@pytest.mark.parametrize(
    "value",
    [
        _value(),
        _value(call_id="816489169124698", agent_id="1234567890123"),
        _value(session="b493fe194810873"),
        _value(ingest_uuid="8f1b2c52-3a3b-5a0e-9d53-012345678901", trace=918273645),
        _value(timestamp="2026-11-22T10:15:30.123456Z"),
        _value(note="I will explore our own version of her restoration or tower"),
        _value(note="the fourth of my names"),
        b"1",
        b"",
    ],
)
def test_ids_times_and_words_are_not_suspected(value: bytes) -> None:
    assert suspects([value, value]) == []


def test_values_do_not_run_into_each_other() -> None:
    assert suspects([b"41555", b"50123", b'"41555"', b'"50123"', b"one two", b"three four five"]) == []
