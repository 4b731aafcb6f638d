"""Traces of a worker on the real stack, as a receiver of OTLP gets them: a call's from the poll to its event, and the window that stored it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.otlp import Receiver, Told, otlp_receiver
from tests.integration.pipeline.own_processes import scoring_process
from tests.integration.pipeline.pipeline import Pipeline
from tests.voc import call_value
from voc_stream.services.reading_timeline import TimelineReading
from voc_stream.topics import AUDIO_READY, CALLS_ENRICHED, CALLS_POLLED, CALLS_RAW, SCORING_RESULTS, VOC_CALLS
from voc_stream.tracing.headers import traceparent_of
from voc_stream.tracing.names import KNOWN

WAY = ["poll", "dedup", "enrich", "download", "score", "export", "event"]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as lent:
        yield lent


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A scoring service with words: a call without them has no event."""
    with scoring_process(tmp_path_factory.mktemp("scoring"), {"SCORER_ASR": "tiny.en"}) as endpoints:
        yield endpoints


@pytest.fixture
def worker_settings(receiver: Receiver, scorer: Mapping[str, str]) -> Mapping[str, str]:
    return {"TRACING_ENDPOINT": receiver.url, "TRACING_RATIO": "1", **scorer}


async def told_of(receiver: Receiver, trace_id: str, *names: str) -> dict[str, Told]:
    """Wait until a trace has spans of these names; return its stages' spans by name, and the steps' as `name of stage`."""

    def there(spans: list[Told]) -> bool:
        return set(names) <= {span.name for span in spans if span.trace_id == trace_id}

    found = [span for span in await asyncio.to_thread(receiver.until, there) if span.trace_id == trace_id]
    by_id = {span.span_id: span for span in found}
    steps = {f"{span.name} of {by_id[span.parent_id].name}": span for span in found if span.parent_id in by_id and span.name not in WAY}
    return steps | {span.name: span for span in found if span.name in {*WAY, "window"}}


async def timeline_of(pipeline: Pipeline, call_id: str) -> list[Mapping[str, Any]]:
    """Return a call's timeline once it is told that it is exported, which follows ClickHouse."""
    entries: list[Mapping[str, Any]] = []

    async def exported() -> bool:
        entries[:] = await pipeline.rows("SELECT stage, trace_id FROM call_event WHERE call_id = $1 ORDER BY at, id", call_id)
        return any(entry["stage"] == "export" for entry in entries)

    await pipeline.until(f"{call_id} exported", exported)
    return entries


async def test_a_call_has_one_trace_from_the_poll_to_the_window_that_stores_its_event(pipeline: Pipeline, receiver: Receiver) -> None:
    (call_id,) = await pipeline.spoken(1, service="acme-support")
    await pipeline.until_settled([call_id])

    entries = await timeline_of(pipeline, call_id)
    assert [entry["stage"] for entry in entries] == ["enrich", "download", "score", "export"]
    (trace_id,) = {str(entry["trace_id"]) for entry in entries}

    spans = await told_of(receiver, trace_id, *WAY)
    for before, after in itertools.pairwise(WAY):
        assert spans[after].parent_id == spans[before].span_id, after
        assert spans[after].began >= spans[before].began
    assert spans["poll"].parent_id == ""
    for stage in WAY[:-1]:
        assert (spans[stage].attributes["voc.call_id"], spans[stage].attributes["voc.tenant_id"]) == (call_id, "acme")
        assert f"kafka publish of {stage}" in spans
    assert {
        "recorder to s3 of download", "postgres apply of download", "scoring of score", "s3 put of score", "clickhouse insert of export",
    } <= set(spans)  # fmt: skip

    (window_id,) = spans["event"].links
    window = await told_of(receiver, window_id, "window")
    assert trace_id in window["window"].links
    assert window["window"].attributes["voc.stored"] >= 1
    assert {f"{step} of window" for step in ("redact", "annotate", "encode", "ledger write", "clickhouse insert")} <= set(window)
    assert window["window"].began <= window["clickhouse insert of window"].began <= window["window"].ended

    for topic in (CALLS_POLLED, CALLS_RAW, CALLS_ENRICHED, AUDIO_READY, SCORING_RESULTS, VOC_CALLS):
        (record,) = await pipeline.read(topic, [call_id])
        traceparent = traceparent_of(record.headers)
        assert traceparent is not None
        assert traceparent.startswith(f"00-{trace_id}-".encode()), topic
    timeline = await TimelineReading(pipeline.database).of("acme", call_id)
    assert timeline is not None
    assert [hop.trace_id for hop in timeline.hops] == [trace_id] * 4


async def test_a_log_line_names_the_trace_and_no_span_tells_what_it_must_not(pipeline: Pipeline, receiver: Receiver) -> None:
    (call,) = await pipeline.record("text")
    call_id = call["inum"]
    await pipeline.until_status([call_id], "ERROR")
    (entry,) = await pipeline.rows("SELECT trace_id FROM call_event WHERE call_id = $1 AND what = 'errored'", call_id)

    spans = await told_of(receiver, str(entry["trace_id"]), "poll", "download")
    assert (spans["download"].failed, spans["download"].attributes["error.type"]) == (True, "not_audio")
    lines = [json.loads(line) for line in pipeline.worker.log.read_text().splitlines() if call_id in line and line.startswith("{")]
    (letter,) = [line for line in lines if line["event"] == "dead letter"]
    assert letter["trace_id"] == entry["trace_id"]
    assert {name for span in receiver.spans for name in span.attributes} <= KNOWN


async def test_an_event_tells_in_the_trace_that_its_producer_began(pipeline: Pipeline, receiver: Receiver) -> None:
    headers = [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]
    value = call_value(int(datetime.now(UTC).timestamp() * 1e6), tenant_id="acme", timestamp=datetime.now(UTC))
    (offset,) = await pipeline.write(VOC_CALLS, (b"7", value), partition=3, headers=headers)

    event = (await told_of(receiver, TRACE, "event"))["event"]
    assert event.parent_id == "00f067aa0ba902b7"
    assert (event.attributes["voc.outcome"], event.attributes["messaging.kafka.offset"]) == ("stored", offset)
    assert event.attributes["messaging.destination.partition.id"] == "3"
