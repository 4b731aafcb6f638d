"""Vector's published scenarios and ours, on a simulated clock: near the optimum after convergence, and no collapse (docs/adaptive-concurrency.md)."""

from __future__ import annotations

import pytest

from benchmarks.adaptive.__main__ import good
from benchmarks.adaptive.scenarios import PUBLISHED, SCENARIOS, Scenario
from benchmarks.adaptive.simulation import Outcome

_outcomes: dict[str, Outcome] = {}


def outcome_of(scenario: Scenario) -> Outcome:
    if scenario.name not in _outcomes:
        _outcomes[scenario.name] = scenario.run()
    return _outcomes[scenario.name]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_mean_in_flight_is_within_a_fifth_of_the_optimum_and_throughput_does_not_collapse(scenario: Scenario) -> None:
    outcome = outcome_of(scenario)

    assert good(scenario, outcome), outcome


@pytest.mark.parametrize("name", ["fixed-concurrency-simple", "fixed-concurrency-jitter"])
def test_an_equal_floor_and_ceiling_never_vary(name: str) -> None:
    scenario = next(each for each in PUBLISHED if each.name == name)
    outcome = outcome_of(scenario)

    assert outcome.limits == pytest.approx([10.0])
    assert outcome.lowest == 10


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if len(each.starts) > 1], ids=lambda scenario: scenario.name)
def test_workers_that_share_a_link_all_get_something_of_it(scenario: Scenario) -> None:
    outcome = outcome_of(scenario)

    assert min(outcome.limits) >= max(outcome.limits) / 4
