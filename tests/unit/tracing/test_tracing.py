"""What is traced, where it goes, and that no receiver can hurt."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes.otlp import Receiver, otlp_receiver
from tests.unit.services.made import settings
from tests.unit.tracing.test_headers import NOT_SAMPLED, SAMPLED, TRACE
from voc_stream.tracing import otel, tracing
from voc_stream.tracing.names import CALL_ID, OUTCOME, STAGE
from voc_stream.tracing.tracing import OFF, Tracing
from voc_stream.version import VERSION

NAMES = [f"call-{number}" for number in range(2000)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as lent:
        yield lent


@asynccontextmanager
async def traced(url: str | None, ratio: float = 1.0, count: Callable[[str, int], None] = lambda *_: None, **wanted: Any) -> AsyncIterator[Tracing]:
    made = Tracing(settings(tracing_endpoint=url, tracing_ratio=ratio, **wanted), count)
    await made.open()
    yield made
    await made.close()


def spans_of(made: Tracing) -> list[str]:
    return [name for name in NAMES if made.call("poll", name, {}) is not None]


async def test_a_span_arrives_with_what_is_known_of_the_process(receiver: Receiver) -> None:
    async with traced(receiver.url, tracing_token="s3cret", operator_port=8011) as made:
        span = made.call("poll", "c1", {STAGE: "poll"})
        assert span is not None
        child = span.child("recorder to s3")
        child.end()
        span.end()
    child_told, told = receiver.until(lambda spans: len(spans) == 2)
    assert (told.name, told.trace_id, told.attributes) == ("poll", span.trace_id, {"voc.call_id": "c1", "voc.stage": "poll"})
    assert (child_told.parent_id, child_told.trace_id, told.parent_id) == (told.span_id, told.trace_id, "")
    assert (receiver.path, receiver.authorization) == ("/v1/traces", "Bearer s3cret")
    assert {name: receiver.resource[name] for name in ("service.name", "service.version", "deployment.environment.name")} == {
        "service.name": "voc-stream", "service.version": VERSION, "deployment.environment.name": "dev",
    }  # fmt: skip
    assert receiver.resource["service.instance.id"].endswith(":8011")


async def test_a_call_s_trace_is_known_to_all_who_meet_it_and_its_id_decides_everywhere(receiver: Receiver) -> None:
    async with traced(receiver.url, 0.01) as one, traced(receiver.url, 0.01) as other, traced(receiver.url, 0.1) as more:
        found = spans_of(one)
        assert found == spans_of(other)
        assert set(found) < set(spans_of(more))
        assert 5 <= len(found) <= 45
        ids = {one.trace_id_of(name) for name in NAMES}
        assert len(ids) == len(NAMES)


async def test_what_others_decided_holds(receiver: Receiver) -> None:
    async with traced(receiver.url, 0.0) as nothing_of_our_own, traced(receiver.url, 1.0) as everything:
        assert nothing_of_our_own.call("download", "c1", {}) is None
        followed = nothing_of_our_own.call("download", "c1", {}, headers=[("traceparent", SAMPLED)])
        assert followed is not None
        assert followed.trace_id == TRACE
        assert everything.call("download", "c1", {}, headers=[("traceparent", NOT_SAMPLED)]) is None
        assert everything.call("download", None, {}) is None
        assert everything.call("download", None, {}, headers=[("traceparent", b"rubbish")]) is None


async def test_headers_carry_a_span_to_the_next_process(receiver: Receiver) -> None:
    async with traced(receiver.url) as here, traced(receiver.url, 0.0) as there:
        first = here.call("download", "c1", {}, headers=[("traceparent", SAMPLED), ("tracestate", b"vendor=1")])
        assert first is not None
        assert dict(first.headers)["tracestate"] == b"vendor=1"
        second = there.call("score", "c1", {}, headers=first.headers)
        assert second is not None
        for span in (second, first):
            span.end()
    spans = {span.name: span for span in receiver.until(lambda spans: len(spans) == 2)}
    assert spans["score"].trace_id == spans["download"].trace_id == TRACE
    assert spans["score"].parent_id == spans["download"].span_id
    assert spans["download"].parent_id == "00f067aa0ba902b7"


async def test_what_is_not_known_to_hold_no_personal_data_is_not_told(receiver: Receiver) -> None:
    async with traced(receiver.url) as made:
        span = made.call("poll", "c1", {"customer": "Grace Hopper", "transcript": "hello"})
        assert span is not None
        span.tell({"other_parties": "+14155550123", OUTCOME: "ok", STAGE: None})
        span.note("an attempt failed", {"reason": "Grace Hopper"})
        span.end()
    (told,) = receiver.until(bool)
    assert told.attributes == {CALL_ID: "c1", OUTCOME: "ok"}
    assert told.notes == ("an attempt failed",)


async def test_without_a_receiver_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with traced(None) as made:
        assert (made.on, spans_of(made)) == (False, [])
    assert (OFF.on, spans_of(OFF)) == (False, [])
    monkeypatch.setattr(tracing, "_PACKAGES", ("opentelemetry.sdk", "no.such.package"))
    async with traced("http://127.0.0.1:1") as made:
        assert (made.on, spans_of(made)) == (False, [])


def test_where_nothing_is_traced_nothing_of_opentelemetry_is_loaded() -> None:
    code = """
import asyncio, sys
from voc_stream.settings import Settings
from voc_stream.tracing.tracing import Tracing
import voc_stream.runtime.runner, voc_stream.runtime.window_lane, voc_stream.services.poller, voc_stream.logs
asyncio.run(Tracing(Settings(_env_file=None)).open())
print(*[name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own interpreter
    assert done.stdout.split() == []


async def test_a_receiver_that_is_not_there_costs_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "EXPORT_SECONDS", 0.2)
    monkeypatch.setattr(otel, "QUEUE_SPANS", 100)
    monkeypatch.setattr(otel, "BATCH_SPANS", 10)
    counted: Counter[str] = Counter()

    def count(outcome: str, spans: int) -> None:
        counted[outcome] += spans

    async with traced("http://127.0.0.1:1", count=count) as made:
        assert made.telemetry is not None
        for name in NAMES:
            span = made.call("poll", name, {})
            assert span is not None
            span.end()
        (processor,) = made.telemetry._provider._active_span_processor._span_processors
        queue: Any = processor._batch_processor._queue  # type: ignore[attr-defined]
        assert len(queue) <= 100
    async with asyncio.timeout(10):
        while not counted["failed"]:
            await asyncio.sleep(0.01)
    assert counted["exported"] == 0


async def test_failures_are_counted_and_a_receiver_that_is_back_gets_what_comes_then(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "EVERY_SECONDS", 0.05)
    counted: Counter[str] = Counter()
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def count(outcome: str, spans: int) -> None:
        counted[outcome] += spans
        loop.call_soon_threadsafe(changed.set)

    async def ends(made: Tracing, name: str, outcome: str) -> None:
        span = made.call("poll", name, {})
        assert span is not None
        changed.clear()
        span.end()
        async with asyncio.timeout(30):
            await changed.wait()
        assert counted[outcome] == 1

    receiver.answer = 400
    async with traced(receiver.url, count=count) as made:
        await ends(made, "lost", "failed")
        receiver.answer = 200
        await ends(made, "told", "exported")
    assert [span.attributes[CALL_ID] for span in receiver.spans] == ["told"]


async def test_the_end_of_the_worker_does_not_wait_for_a_receiver_that_does_not_answer(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "CLOSE_SECONDS", 0.05)
    receiver.answering.clear()
    async with traced(receiver.url) as made:
        span = made.call("poll", "c1", {})
        assert span is not None
        span.end()
    assert receiver.spans == []
    receiver.answering.set()
    assert len(receiver.until(bool)) == 1


def test_the_version_is_the_project_s() -> None:
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION
