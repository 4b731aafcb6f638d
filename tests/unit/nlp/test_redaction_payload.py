"""JSON values as they came: those that hold nothing are not looked at, of the others only the strings that must change do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from voc_stream.generator.events import make_events
from voc_stream.nlp.redaction import Names, Redactor
from voc_stream.nlp.redaction_payload import own_names, redact_payload
from voc_stream.nlp.redaction_prefilter import suspects

REDACTOR = Redactor()
PERSONAL = [
    "call 415-555-0123 now",
    "my card 4111111111111111.",
    "it is four one five double five",
    "a one two three four five six",
    "mail jane@example.com",
    "số không chín một hai ba bốn",
    "social 123-45-6789",
    "+65 9123 4567",
]


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("text", PERSONAL)
def test_a_value_that_holds_personal_data_is_suspected_among_many(text: str, escaped: bool) -> None:  # noqa: FBT001 - a test's parameter
    clean = json.dumps({"transcript": "Thank you.", "call_id": "816489169124698", "timestamp": "2026-11-22T10:15:30.123456Z"}).encode()
    dirty = json.dumps({"event_id": "8f1b2c52-3a3b-5a0e-9d53-5a3f6d1d7c11", "transcript": text}, ensure_ascii=escaped).encode()
    assert suspects([clean, dirty, clean, dirty]) == [1, 3]


def test_hardly_any_ordinary_event_is_suspected() -> None:
    values = [value for _, _, value in make_events(3000, 1, 20, datetime(2026, 11, 22, 10, tzinfo=UTC))]
    assert len(suspects(values)) < 30
    assert suspects([]) == []


def test_only_the_strings_that_hold_personal_data_change() -> None:
    value = b'{ "call_id":"4155550123", "big":1234567890123456789012345, "transcript" : "Call 415-555-0123", "at":"2026-11-22T10:15:30Z", "x":1e400}'
    redacted = redact_payload(value, REDACTOR)
    assert redacted == value.replace(b"Call 415-555-0123", b"Call [phone]")
    assert redact_payload(redacted, REDACTOR) is redacted


def test_members_say_who_somebody_is() -> None:
    value = msgspec.json.encode(
        {
            "metadata": {"customer_name": "Jane Roe", "phone": 4155550123, "card": "4111111111111111"},
            "customer_id": "+14155550123",
            "error": "no Jane",
        }
    )
    assert own_names(value) == ["Jane Roe"]
    assert msgspec.json.decode(redact_payload(value, REDACTOR, replaced={"+14155550123": "ref"})) == {
        "metadata": {"customer_name": "[name]", "phone": "[phone]", "card": "[card]"}, "customer_id": "ref", "error": "no [name]",
    }  # fmt: skip


def test_escapes_are_read_and_written_again() -> None:
    value = b'{"transcript":"\\u0041nh H\\u00f9ng n\\u00f3i \\"a\\"\\n b@example.com"}'
    assert msgspec.json.decode(redact_payload(value, REDACTOR, Names(["Hùng Trần"]))) == {"transcript": 'Anh [name] nói "a"\n [email]'}
