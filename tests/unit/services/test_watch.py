"""What the worker knows of itself: lag, and why it is not ready (spec sections 4 and 8)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError
from faust.types import TP

from agents.watch import attach
from tests.unit.runtime.world import Dependency, Pauses
from voc_stream.errors import OutageError
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.limit import Limit
from voc_stream.services.watch import Recovery, backlog_of, group_error, unready_reasons

ZERO, ONE, CHANGELOG = TP("calls.raw", 0), TP("calls.raw", 1), TP("changelog", 0)


class FakeConsumer:
    """A consumer with committed offsets and end offsets."""

    def __init__(self) -> None:
        self.started = True
        self.ends: dict[TP, int | None] = {ZERO: 10, ONE: 7, CHANGELOG: 99}
        self._committed_offset: dict[TP, int | None] = {ZERO: 4, ONE: None}
        self.positions: dict[TP, int | None] = {ZERO: 9, ONE: None}
        self._thread = self
        self._consumer: Any = SimpleNamespace(_coordinator=SimpleNamespace(check_errors=lambda: None))

    def assignment(self) -> set[TP]:
        return set(self.ends)

    async def highwaters(self, *partitions: TP) -> dict[TP, int | None]:
        return {tp: self.ends[tp] for tp in partitions}

    async def position(self, tp: TP) -> int | None:
        return self.positions[tp]

    async def call_thread(self, method: Any, *args: Any) -> Any:
        return await method(*args)


class FakeApp:
    """An app whose timers a test runs itself."""

    def __init__(self) -> None:
        self.consumer = FakeConsumer()
        self._consumer: FakeConsumer | None = self.consumer
        self.rebalancing = self.in_recovery = False
        self.topics = SimpleNamespace(acks_enabled_for=lambda topic: topic != "changelog")
        self.timers: dict[str, Any] = {}
        self.at_start: list[Any] = []

    def timer(self, _seconds: float) -> Any:
        def keep(function: Any) -> Any:
            self.timers[function.__name__] = function
            return function

        return keep


@pytest.fixture
def app() -> Any:
    return FakeApp()


def kit(kafka: Gate | None = None, **runners: Any) -> Any:
    around = SimpleNamespace(gates={"kafka": kafka or Gate("kafka", Dependency().probe)})
    table, settings = SimpleNamespace(measure=lambda: None), SimpleNamespace(kafka_group_id="voc-processor", download_slow_above_lag=1000)
    return SimpleNamespace(
        runners=runners,
        settings=settings,
        around=around,
        health=SimpleNamespace(),
        seen=table,
        ranges=table,
        downloads=Limit("download", around.gates["kafka"], floor=1, ceiling=8),
    )


async def test_lag_is_what_is_not_committed_of_the_source_partitions_and_unread_what_was_not_fetched(app: Any) -> None:
    backlog = await backlog_of(app)
    assert backlog.lag == {"calls.raw": 6 + 7}
    assert backlog.unread == {"calls.raw": 1 + 7}


async def test_lag_is_never_negative_and_without_partitions_there_is_none(app: Any) -> None:
    app.consumer.ends = {ZERO: 2}
    assert (await backlog_of(app)).lag == {"calls.raw": 0}
    app.consumer.ends = {}
    assert (await backlog_of(app)).lag == {}


async def test_a_marker_of_a_transaction_is_lag_for_ever_and_not_unread(app: Any) -> None:
    app.consumer.ends, app.consumer._committed_offset, app.consumer.positions = {ZERO: 10}, {ZERO: 9}, {ZERO: 10}
    backlog = await backlog_of(app)
    assert (backlog.lag, backlog.unread) == ({"calls.raw": 1}, {"calls.raw": 0})


async def test_the_timer_keeps_lag_and_queue_depth(app: Any) -> None:
    attach(app, kit(score=SimpleNamespace(waiting_records=lambda: 3)))
    await app.timers["measure"]()

    assert metrics.REGISTRY.get_sample_value("kafka_consumer_lag", {"topic": "calls.raw", "group": "voc-processor"}) == 13
    assert metrics.REGISTRY.get_sample_value("queue_depth", {"stage": "score"}) == 3


async def test_lag_of_partitions_that_went_to_another_worker_is_not_told_here_any_more(app: Any) -> None:
    attach(app, kit())
    await app.timers["measure"]()
    app.consumer.ends = {CHANGELOG: 99}
    await app.timers["measure"]()

    assert metrics.REGISTRY.get_sample_value("kafka_consumer_lag", {"topic": "calls.raw", "group": "voc-processor"}) is None


async def test_lag_that_cannot_be_measured_does_not_end_the_worker(app: Any) -> None:
    async def fails(*_: TP) -> dict[TP, int]:
        raise GroupAuthorizationFailedError

    app.consumer.highwaters = fails
    attach(app, kit())
    await app.timers["measure"]()


async def test_kafka_is_not_well_when_it_neither_tells_its_ends_nor_answers_a_probe(app: Any) -> None:
    async def fails(*_: TP) -> dict[TP, int]:
        raise TimeoutError

    kafka = Dependency()
    gate = Gate("kafka", kafka.probe, sleep=Pauses())
    app.consumer.highwaters = fails
    attach(app, kit(gate))
    await app.timers["measure"]()
    assert gate.is_open, "it answered the probe"

    kafka.error = OutageError("kafka", "connection refused")
    await app.timers["measure"]()
    assert unready_reasons(app, [gate]) == ["kafka: connection refused"]
    await gate.stop()


async def test_before_the_consumer_runs_there_are_no_group_errors(app: Any) -> None:
    app.consumer._consumer = None
    assert await group_error(app) is None
    app._consumer = None
    assert await group_error(app) is None


async def test_a_group_error_that_nobody_else_would_see_is_told_and_does_not_end_the_consumer_s_thread(app: Any) -> None:
    def check_errors() -> None:
        raise GroupAuthorizationFailedError

    assert await group_error(app) is None
    app.consumer._consumer._coordinator.check_errors = check_errors
    assert isinstance(await group_error(app), GroupAuthorizationFailedError)


def test_a_worker_is_ready_when_nothing_is_in_its_way(app: Any) -> None:
    assert unready_reasons(app, []) == []


def test_a_worker_says_why_it_is_not_ready(app: Any) -> None:
    app._consumer = None
    assert unready_reasons(app, []) == ["the consumer has not started"]
    app._consumer = app.consumer
    app.rebalancing = True
    assert unready_reasons(app, []) == ["rebalancing"]
    app.rebalancing, app.in_recovery = False, True
    assert unready_reasons(app, []) == ["recovering its tables"]
    assert unready_reasons(app, [], Recovery(250, 1000)) == ["recovering its tables: 750 of 1000 changes read"]
    app.rebalancing, app.in_recovery = False, False
    for nothing_to_work_on in ({}, {CHANGELOG: 99}):
        app.consumer.ends = nothing_to_work_on
        assert unready_reasons(app, []) == ["no partitions are assigned"]


async def test_a_dependency_that_is_not_well_is_named_with_its_reason(app: Any) -> None:
    gate = Gate("s3", Dependency().probe, sleep=Pauses())
    gate.close(OutageError("s3", "connection refused"))

    assert unready_reasons(app, [gate]) == ["s3: connection refused"]
    await gate.stop()
