"""A bucket that fills with time."""

from __future__ import annotations

from voc_stream.tracing.budget import Budget


def test_it_is_full_at_first_gives_what_it_has_and_fills_with_time_up_to_its_most() -> None:
    now = [0.0]
    budget = Budget(10.0, 20, clock=lambda: now[0])
    assert (budget.covers(20), budget.covers(21)) == (True, False)
    assert (budget.take(15), budget.take(15)) == (15, 5)
    now[0] = 1.0
    assert (budget.covers(10), budget.take(12)) == (True, 10)
    now[0] = 100.0
    assert budget.take(100) == 20
