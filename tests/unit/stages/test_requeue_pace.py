"""Requeues give way to live traffic."""

from __future__ import annotations

import pytest

from voc_stream.stages.requeue_pace import RequeuePace

PACE = RequeuePace(rate=50.0, max_lag=1000)


@pytest.mark.parametrize(("lag", "rate"), [(0, 50.0), (500, 50.0), (750, 25.0), (950, 5.0), (999, 5.0), (1000, 0.0), (1_000_000, 0.0)])
def test_the_rate_is_full_up_to_half_of_the_lag_that_is_too_much_then_falls_to_a_tenth_and_ends(lag: int, rate: float) -> None:
    assert PACE.at(lag) == pytest.approx(rate)


def test_so_many_records_are_followed_by_a_rest_that_keeps_the_rate() -> None:
    assert PACE.seconds(20, lag=0) == pytest.approx(0.4)
    assert PACE.seconds(20, lag=750) == pytest.approx(0.8)


def test_at_too_much_lag_there_is_no_rest_that_would_do() -> None:
    assert PACE.seconds(20, lag=1000) is None


def test_the_least_lag_that_can_be_set_still_sends_while_there_is_none() -> None:
    assert RequeuePace(rate=1.0, max_lag=1).at(0) == 1.0
    assert RequeuePace(rate=1.0, max_lag=1).at(1) == 0.0


@pytest.mark.parametrize(("rate", "at_once"), [(0.2, 1), (7.9, 7), (50.0, 20)])
def test_a_second_s_worth_goes_together_at_least_one_and_few_at_most(rate: float, at_once: int) -> None:
    assert RequeuePace(rate, 1000).at_once == at_once
