"""What `/healthz` says 503 of: what a restart would mend, and nothing else (spec section 4)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError

from tests.unit.runtime.world import Dependency, Pauses
from voc_stream.errors import OutageError
from voc_stream.runtime import metrics
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.lease import Lease
from voc_stream.runtime.lease import Sign as LeaseSign
from voc_stream.services.health import Bounds, Health

STUCK, GROUP = 100.0, 30.0


class Worker:
    """A worker with one stage, `score`, that has work; a test makes seconds pass, and the coordinator says yes unless it is silent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lease = Lease()
        self.silent = False
        self.moving = False
        self.pause: str | None = None
        self.waiting = 3
        self.runner = SimpleNamespace(
            stage=SimpleNamespace(name="score", needs=("scorer", "s3")), last_progress=0.0, waiting_records=lambda: self.waiting
        )
        self.group_error: BaseException | None = None
        self.remaining = 0
        self._consumer = self._coordinator = self
        consumer = SimpleNamespace(started=True, _thread=self)
        self.app: Any = SimpleNamespace(
            _consumer=consumer,
            consumer=consumer,
            consumer_generation_id=1,
            rebalancing=False,
            in_recovery=False,
            agents={"agents.score": SimpleNamespace(channel=SimpleNamespace(topics=["audio.ready"]))},
            tables=SimpleNamespace(recovery=SimpleNamespace(active_remaining=lambda: {"changelog": self.remaining, "ahead": -3})),
        )
        self.gates = {name: Gate(name, Dependency().probe, sleep=Pauses()) for name in ("kafka", "scorer", "s3", "recorder", "state")}
        self.health = Health(
            app=self.app,
            runners={"score": self.runner},
            gates=self.gates,
            lease=self.lease,
            bounds=Bounds(stuck=STUCK, group=GROUP),
            paused=lambda _stage: self.pause,
            clock=lambda: self.now,
        )

    async def call_thread(self, method: Any, *args: Any) -> Any:
        return await method(*args)

    def check_errors(self) -> None:
        if self.group_error is not None:
            raise self.group_error

    def passes(self, seconds: float) -> list[str]:
        for _ in range(int(seconds)):
            self.now += 1.0
            if not self.silent:
                self.lease._sign = LeaseSign(1, self.now)
            if self.moving:
                self.runner.last_progress = self.now
            self.health.look()
        return self.health.ill_reasons()


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_stage_with_work_and_without_progress_is_ill_and_named(worker: Worker) -> None:
    assert worker.passes(STUCK - 1) == []
    assert worker.passes(10) == ["score: no progress for 108 s, though it has work and what it needs is well"]

    worker.moving = True
    assert worker.passes(1) == []


def test_metrics_tell_of_a_standstill_long_before_a_restart_is_wanted(worker: Worker) -> None:
    def shown(name: str, **labels: str) -> float | None:
        return metrics.REGISTRY.get_sample_value(name, labels)

    worker.passes(STUCK - 10)
    assert (shown("voc_stage_standstill_seconds", stage="score"), shown("voc_healthy")) == (STUCK - 11, 1)
    worker.passes(20)
    assert (shown("voc_stage_standstill_seconds", stage="score"), shown("voc_healthy")) == (STUCK + 9, 0)

    worker.moving = True
    worker.passes(1)
    assert (shown("voc_stage_standstill_seconds", stage="score"), shown("voc_healthy")) == (0, 1)


def test_a_stage_that_fetches_nothing_though_there_is_something_is_ill(worker: Worker) -> None:
    worker.waiting = 0
    worker.health.unread = {"calls.raw": 7}
    assert worker.passes(2 * STUCK) == []

    worker.health.unread = {"audio.ready": 7}
    assert worker.passes(2 * STUCK) != []


def test_an_idle_worker_stays_healthy_for_hours_and_what_comes_then_has_its_time(worker: Worker) -> None:
    worker.waiting = 0
    assert worker.passes(4 * 3600) == []

    worker.waiting = 1
    assert worker.passes(STUCK - 1) == []


def test_a_stage_that_makes_progress_is_healthy_for_hours(worker: Worker) -> None:
    worker.moving = True
    assert worker.passes(4 * 3600) == []


@pytest.mark.parametrize("dependency", ["scorer", "s3", "kafka"])
async def test_an_outage_of_what_a_stage_needs_is_no_illness_and_its_time_begins_afterwards(worker: Worker, dependency: str) -> None:
    worker.passes(STUCK - 5)
    worker.gates[dependency].close(OutageError(dependency, "connection refused"))
    assert worker.passes(3 * STUCK) == []

    await worker.gates[dependency].stop()
    worker.gates[dependency] = worker.health._gates[dependency] = Gate(dependency, Dependency().probe)  # type: ignore[index]
    assert worker.passes(STUCK - 1) == []
    assert worker.passes(5) != []


async def test_an_outage_of_what_it_does_not_need_excuses_nothing(worker: Worker) -> None:
    worker.gates["recorder"].close(OutageError("recorder", "connection refused"))
    assert worker.passes(2 * STUCK) != []
    await worker.gates["recorder"].stop()


def test_a_pause_is_no_illness(worker: Worker) -> None:
    worker.pause = "paused by an operator"
    assert worker.passes(3 * STUCK) == []


@pytest.mark.parametrize("state", ["rebalancing", "in_recovery"])
def test_a_stage_is_not_blamed_for_a_rebalance_or_a_recovery_that_goes_on(worker: Worker, state: str) -> None:
    setattr(worker.app, state, True)
    for _ in range(5):
        worker.remaining += 1
        worker.app.consumer_generation_id += 1
        assert worker.passes(STUCK - 1) == []


@pytest.mark.parametrize("state", ["rebalancing", "in_recovery"])
def test_a_recovery_that_stands_still_is_ill(worker: Worker, state: str) -> None:
    setattr(worker.app, state, True)
    assert worker.passes(STUCK + 2) == ["recovery: no progress for 101 s, though Kafka answers"]


async def test_a_recovery_that_waits_for_room_on_the_disk_is_not(worker: Worker) -> None:
    worker.app.in_recovery = True
    worker.gates["state"].close(OutageError("state", "1 MiB is free"))
    assert worker.passes(3 * STUCK) == []
    await worker.gates["state"].stop()


def test_a_coordinator_that_never_says_yes_though_kafka_answers_is_ill(worker: Worker) -> None:
    worker.moving, worker.silent = True, True
    assert worker.passes(STUCK - 1) == []
    assert worker.passes(3) == ["group: its coordinator has not confirmed this worker for 101 s, though Kafka answers"]

    worker.silent = False
    assert worker.passes(1) == []


async def test_a_group_error_that_does_not_heal_is_ill_and_ends_the_worker_if_nobody_else_does(worker: Worker) -> None:
    worker.moving, worker.silent = True, True
    worker.passes(1)
    worker.group_error = GroupAuthorizationFailedError()
    await worker.health.check_group()
    assert worker.passes(GROUP - 2) == []
    assert worker.passes(3) == ["group: GroupAuthorizationFailedError for 31 s"]

    await worker.health.check_group()
    worker.passes(GROUP)
    with pytest.raises(GroupAuthorizationFailedError):
        await worker.health.check_group()


async def test_a_group_error_heals_with_the_coordinator_s_next_yes(worker: Worker) -> None:
    worker.moving, worker.silent = True, True
    worker.passes(1)
    worker.group_error = GroupAuthorizationFailedError()
    await worker.health.check_group()
    worker.passes(GROUP - 2)
    worker.silent, worker.group_error = False, None

    assert worker.passes(4 * GROUP) == []
    await worker.health.check_group()


def test_a_worker_that_was_suspended_is_given_time_when_it_wakes_up(worker: Worker) -> None:
    worker.silent = True
    assert worker.passes(STUCK - 10) == []
    worker.now += 24 * 3600
    assert worker.passes(5) == []


async def test_before_the_consumer_has_started_nothing_stands_still(worker: Worker) -> None:
    worker.app.consumer.started, worker.silent = False, True
    assert worker.passes(3 * STUCK) == []
    await worker.health.check_group()
    worker.app._consumer = None
    assert worker.passes(3 * STUCK) == []


def test_how_far_a_recovery_is_is_known_while_there_is_one(worker: Worker) -> None:
    worker.app.in_recovery, worker.remaining = True, 1000
    worker.passes(1)
    worker.remaining = 250
    worker.passes(1)
    assert str(worker.health.recovery) == "recovering its tables: 750 of 1000 changes read"

    worker.app.in_recovery = False
    worker.passes(1)
    assert worker.health.recovery is None
