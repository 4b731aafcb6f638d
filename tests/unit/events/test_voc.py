"""What a customer event must be, and what is said of one that is not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bad_input import CANARY, NOW, bad_input
from tests.voc import action_value, call_value, event_id
from voc_stream.events import voc
from voc_stream.events.base import MalformedError, encode
from voc_stream.events.voc import AgentAction, BaseEvent, CallEvent, QosMetric, ToolInvocation, decode_all, decode_voc

BAD = bad_input(1000, NOW)
MALFORMED = {name: bad for name, bad in BAD.items() if bad.reason and bad.error_type == "malformed"}
DECODABLE = {name: bad for name, bad in BAD.items() if name not in MALFORMED}

BASE: dict[str, Any] = {
    "event_id": str(event_id(1)),
    "tenant_id": "acme",
    "timestamp": "2026-11-22T10:15:30Z",
    "metadata": {"nested": {"list": [1, 2.5, None, True, "ü"]}},
    "agent_id": "agent1",
    "call_id": "c1",
    "customer_id": "k1",
    "channel": "voice",
    "event_ts": "2026-11-22T10:15:31Z",
    "ingest_uuid": str(event_id(2)),
}
FULL: dict[type[BaseEvent], dict[str, Any]] = {
    CallEvent: {
        "event_type": "call",
        "direction": "inbound",
        "started_at": "2026-11-22T10:10:30Z",
        "ended_at": "2026-11-22T10:15:30Z",
        "duration": 300.5,
        "queue": "billing",
        "outcome": "solved",
        "language": "en",
        "transcript": "My bill is wrong.",
        "turns": [{"speaker": "customer", "start": 0.5, "end": 2.0, "text": "My bill is wrong."}],
    },
    AgentAction: {"event_type": "agent_action", "action": "refund", "target": "order 1", "outcome": "done", "latency": 0.5, "latency_ms": 500.0},
    ToolInvocation: {
        "event_type": "tool_invocation",
        "tool": "crm.find",
        "arguments": {"q": ["x"]},
        "status": "error",
        "started_at": "2026-11-22T10:10:30Z",
        "duration": 1.5,
        "duration_ms": 1500.0,
        "result": [1, {"a": None}],
        "error": {"code": 500},
    },
    QosMetric: {"event_type": "qos_metric", "metric": "jitter", "value": 12.5, "unit": "ms"},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_with_one_plain_reason_that_quotes_nothing(name: str) -> None:
    with pytest.raises(MalformedError, match=r"^[^\n]{8,200}$") as caught:
        decode_voc(MALFORMED[name].value)
    assert MALFORMED[name].reason in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("written", [str(event_id(1)).upper(), event_id(1).hex])
def test_an_id_may_be_written_in_capitals_and_without_hyphens(written: str) -> None:
    value = action_value(event_id=written)
    assert decode_voc(value).event_id == written
    assert decode_all([value]) == [decode_voc(value)]


@pytest.mark.parametrize("name", DECODABLE)
def test_what_is_only_odd_is_data(name: str) -> None:
    assert decode_voc(DECODABLE[name].value).event_id


@pytest.mark.parametrize("kind", FULL)
def test_no_field_of_any_type_is_dropped(kind: type[BaseEvent]) -> None:
    fields = {**BASE, **FULL[kind]}
    assert set(fields) == {"event_type", *kind.__struct_fields__}
    event = decode_voc(json.dumps(fields).encode())
    assert type(event) is kind
    assert json.loads(encode(event)) == fields
    assert decode_voc(encode(event)) == event


@pytest.mark.parametrize("kind", FULL)
def test_every_optional_field_may_be_absent_or_null(kind: type[BaseEvent]) -> None:
    required = {field.name for field in msgspec.structs.fields(kind) if field.required} | {"event_type"}
    whole = {**BASE, **FULL[kind]}
    absent = {name: value for name, value in whole.items() if name in required}
    null = {name: value if name in required else None for name, value in whole.items()}
    assert decode_voc(json.dumps(absent).encode()) == decode_voc(json.dumps(null).encode())
    for name in required:
        with pytest.raises(MalformedError, match=f"`{name}`"):
            decode_voc(json.dumps({field: value for field, value in absent.items() if field != name}).encode())


@pytest.mark.parametrize("arguments", [{"a": 1}, [1, 2], '{"a": 1}', None])
def test_a_tool_s_arguments_are_an_object_a_list_or_text(arguments: object) -> None:
    value = json.dumps({**BASE, "event_type": "tool_invocation", "tool": "t", "arguments": arguments}).encode()
    event = decode_voc(value)
    assert isinstance(event, ToolInvocation)
    assert event.arguments == arguments


def test_the_last_of_equal_keys_counts() -> None:
    event = decode_voc(call_value(transcript="first")[:-1] + b',"transcript":"last"}')
    assert isinstance(event, CallEvent)
    assert event.transcript == "last"


def test_an_escaped_character_elsewhere_does_not_make_an_id_wrong() -> None:
    assert decode_voc(call_value(transcript='He said: "no"\n', customer_id='k"1')).customer_id == 'k"1'


def test_so_many_tenants_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    known: set[str] = set()
    monkeypatch.setattr(voc, "_good_tenants", known)
    monkeypatch.setattr(voc, "MOST_TENANTS", 10)
    for number in range(35):
        assert decode_voc(action_value(tenant_id=f"tenant-{number}"))
        assert len(known) <= 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from([*BASE]), inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_bytes_only_one_kind_of_error_is_raised(value: bytes) -> None:
    _decode_or_refuse(value)


@given(st.sampled_from([*FULL]), st.dictionaries(st.sampled_from([*BASE, "duration", "turns", "value", "result", "x"]), JSON, max_size=3))
def test_whatever_the_fields_only_one_kind_of_error_is_raised(kind: type[BaseEvent], changes: dict[str, Any]) -> None:
    _decode_or_refuse(json.dumps({**BASE, **FULL[kind], **changes}).encode())


@given(st.data())
def test_whatever_bytes_break_on_the_way_only_one_kind_of_error_is_raised(data: st.DataObject) -> None:
    value = bytearray(call_value(transcript="I am \u00fcberhaupt not happy"))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    _decode_or_refuse(bytes(value))


def _decode_or_refuse(value: bytes) -> None:
    reason = ""
    try:
        event = decode_voc(value)
    except MalformedError as error:
        reason = str(error) or "none"
    if not reason:
        assert value.decode()
        assert event.timestamp.utcoffset() is not None
    assert reason != "none"
