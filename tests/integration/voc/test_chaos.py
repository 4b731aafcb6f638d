"""A small version of `make chaos-voc`: two workers are killed, one is frozen past its session and wakes, a fifth of ClickHouse's replies is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.chaos.trial import Plan, Trial
from benchmarks.chaos_voc import PARTS
from benchmarks.field import Field
from tests.tally import Tally


@pytest.fixture
def trial() -> Iterator[Trial]:
    """On a stack of its own: the workers' group is a new one, and would work on every call that other tests left in the topics."""
    with Field(parts=PARTS) as place:
        yield Trial(place.stack, place.settings, place.folder / "chaos", Plan(events=5_000, kills=2, seed=4, apart=(9.0, 12.0), servers=False))


def test_each_event_is_stored_once_and_each_poison_is_dead_lettered_whatever_happens_to_the_workers(trial: Trial, tally: Tally) -> None:
    count = trial.run()
    what = f"{count.sent} events, {count.dead_lettered} of poison, {count.kills} kills, a fifth of the replies lost"
    tally.count(what, lost=count.lost, duplicated=count.duplicated)
    assert count.problems == []
    assert (count.sent, count.stored, count.lost, count.duplicated, count.kills) == (5_000, 5_000, 0, 0, 2)
    assert count.dead_lettered > 0
