"""A small version of `make chaos-voc`: two workers are killed, one is frozen past its session and wakes, a fifth of ClickHouse's replies is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.trial import Plan, Trial
from voc_stream.devstack.stack import Stack
from voc_stream.settings import Settings


@pytest.fixture
def trial(stack: Stack, settings: Settings, tmp_path: Path) -> Iterator[Trial]:
    trial = Trial(stack, settings, tmp_path, Plan(events=5_000, kills=2, seed=4, apart=(9.0, 12.0), servers=False))
    yield trial
    trial.tidy()


def test_each_event_is_stored_once_and_each_poison_is_dead_lettered_whatever_happens_to_the_workers(trial: Trial) -> None:
    count = trial.run()
    assert count.problems == []
    assert (count.sent, count.stored, count.lost, count.duplicated, count.kills) == (5_000, 5_000, 0, 0, 2)
    assert count.dead_lettered > 0
