"""Records that nobody should have written, straight into the pipeline's topics: each is dead-lettered as it was, and nothing else is touched."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from tests import calls
from tests.integration.pipeline.pipeline import Pipeline, header, reason_of
from voc_stream import topics
from voc_stream.events.base import Wire
from voc_stream.events.calls import RawCall

# Bytes that are no value of any topic, and a word of the reason that a person reads.
BYTES: dict[str, tuple[bytes | None, str]] = {
    "no value": (None, "no value"),
    "no bytes": (b"", "no value"),
    "not JSON": (b"this is not JSON", "JSON is malformed"),
    "cut off": (b'{"call_id": "700', "truncated"),
    "wrong UTF-8": (b'{"call_id": "\xff\xfe\xfd"}', "not UTF-8"),
    "NUL bytes": (b"\x00" * 64, "malformed"),
    "920 kB of garbage": (bytes(range(256)) * 3600, "malformed"),
    "10 MB that compress well": (b'"' + b"x" * 10_000_000 + b'"', "Expected `object`, got `str`"),
    "deep nesting": (b'{"nested": ' + b"[" * 200_000, "nested too deeply"),
    "a list": (b"[1, 2, 3]", "Expected `object`, got `array`"),
    "no call_id": (b'{"event_ts": "2026-11-22T06:00:00Z", "ingest_uuid": "8f1b2c52-3a3b-5a0e-9d53-5a3f6d1d7c11"}', "missing required field"),
    "a call_id with a slash": (b'{"call_id": "../../etc/passwd"}', "$.call_id"),
    "a call_id that is a number": (b'{"call_id": 700000000000001}', "$.call_id"),
}


def _raw() -> RawCall:
    call = calls.enriched_call()
    return RawCall(
        event_ts=call.event_ts,
        ingest_uuid=call.ingest_uuid,
        call_id=call.call_id,
        tenant_id="acme",
        started_at=call.started_at,
        ended_at=call.ended_at,
    )


# Values that can be decoded, but that a database, a calendar or the call's own story refuses.
VALUES: dict[str, dict[str, tuple[Wire, dict[str, Any]]]] = {
    topics.CALLS_RAW: {
        "NUL in a name": (_raw(), {"skill": "bil\u0000ling", "service": "acme-support"}),
        "before the calendar": (_raw(), {"started_at": "0001-01-01T00:00:00+14:00"}),
        "after the calendar": (_raw(), {"ended_at": "9999-12-31T23:59:59-14:00"}),
        "ends before it starts": (_raw(), {"ended_at": "2020-01-01T00:00:00Z"}),
        "sealed for another call": (_raw(), {"sealed_udfs": "v1.dev.AAAA"}),
    },
    topics.CALLS_ENRICHED: {
        "after the calendar": (calls.enriched_call(), {"started_at": "9999-12-31T23:59:59-14:00"}),
    },
    topics.AUDIO_READY: {
        "no such object": (calls.audio_ready(), {"s3_key": "raw/2026/11/22/nothing-here.wav"}),
        "a NUL in the key": (calls.audio_ready(), {"s3_key": "raw/\u0000.wav"}),
        "before the calendar": (calls.audio_ready(), {"started_at": "0001-01-01T00:00:00+14:00"}),
    },
    topics.SCORING_RESULTS: {
        "before ClickHouse's calendar": (calls.scoring_result(), {"started_at": "0001-01-01T00:00:00+14:00"}),
        "a latency beyond 64 bit": (calls.scoring_result(), {"latency_ms": 10**30}),
        "no such transcript": (calls.scoring_result(), {"transcript_key": "transcripts/2026/11/22/nothing-here.json"}),
    },
}


@pytest.mark.parametrize("topic", [topics.CALLS_POLLED, topics.CALLS_RAW, topics.CALLS_ENRICHED, topics.AUDIO_READY, topics.SCORING_RESULTS])
async def test_bytes_that_are_no_value_are_dead_lettered_as_they_were_and_neighbours_pass(pipeline: Pipeline, topic: str) -> None:
    run = uuid.uuid4().hex[:8]
    keyed = {f"{run} {name}".encode(): value for name, (value, _reason) in BYTES.items()}
    offsets = await pipeline.write(topic, *keyed.items(), partition=3)
    neighbours = await pipeline.spoken(2)
    letters = await pipeline.until_letters(f"{topic}.dlq", list(keyed))
    assert {key: letter.value for key, letter in letters.items()} == {key: value or None if value is None else value for key, value in keyed.items()}
    reasons = {name: reason_of(letters[f"{run} {name}".encode()]) for name in BYTES}
    assert {name: reason for name, reason in reasons.items() if BYTES[name][1] not in reason} == {}
    told = letters[next(iter(keyed))]
    assert (header(told, "topic"), header(told, "partition"), header(told, "offset")) == (topic, "3", str(offsets[0]))
    assert (header(told, "error-type"), header(told, "retries"), told.partition) == ("malformed", "0", 3)
    await pipeline.until_status(neighbours, "SCORED")
    assert pipeline.worker.poll() is None


@pytest.mark.parametrize("topic", VALUES)
async def test_values_that_can_never_pass_are_dead_lettered_as_they_were_and_neighbours_pass(pipeline: Pipeline, topic: str) -> None:
    run = uuid.uuid4().hex[:8]
    names = {f"{run}{number}".encode(): name for number, name in enumerate(VALUES[topic])}
    keyed = {key: _changed(*VALUES[topic][name], call_id=key.decode()) for key, name in names.items()}
    await pipeline.write(topic, *keyed.items(), partition=3)
    neighbours = await pipeline.spoken(2)
    letters = await pipeline.until_letters(f"{topic}.dlq", list(keyed))
    assert {names[key] for key, letter in letters.items() if letter.value != keyed[key]} == set()
    assert all(len(reason_of(letter)) > 10 for letter in letters.values())
    await pipeline.until_status(neighbours, "SCORED")
    assert pipeline.worker.poll() is None


async def test_a_dead_letter_says_nothing_of_its_value_in_headers_or_log(pipeline: Pipeline) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    key = canary[-12:].encode()
    value = b'{"event_ts": "%s", "call_id": ["%s"], "outcome": "%s"}' % ((canary.encode(),) * 3)
    for topic in (topics.CALLS_RAW, topics.SCORING_RESULTS):
        await pipeline.write(topic, (key, value))
        letter = (await pipeline.until_letters(f"{topic}.dlq", [key]))[key]
        assert [name for name, text in letter.headers if canary.encode() in text] == []
    assert canary not in pipeline.worker.log.read_text()


async def test_the_source_s_own_headers_stay_in_front(pipeline: Pipeline) -> None:
    key = uuid.uuid4().hex.encode()
    await pipeline.write(topics.CALLS_RAW, (key, b"x"), headers=[("trace", b"\x00\xff")])
    letter = (await pipeline.until_letters(f"{topics.CALLS_RAW}.dlq", [key]))[key]
    assert letter.headers[0] == ("trace", b"\x00\xff")


def _changed(value: Wire, changes: dict[str, Any], *, call_id: str) -> bytes:
    fields: dict[str, Any] = msgspec.to_builtins(value)
    return msgspec.json.encode(fields | {"call_id": call_id} | changes)
