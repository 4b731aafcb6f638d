"""What a soak calls growth."""

from __future__ import annotations

from benchmarks.chaos.watching import growth


def test_a_figure_that_settles_after_the_start_does_not_grow() -> None:
    assert growth([100.0, 150.0, 180.0, 200.0] + [200.0] * 12) == 0.0


def test_a_leak_is_growth_and_a_peak_is_none() -> None:
    assert growth([float(value) for value in range(100)]) == 50.0
    assert growth([10.0] * 40 + [500.0] * 3 + [10.0] * 40) == 0.0


def test_of_a_few_values_nothing_is_said() -> None:
    assert growth([1.0, 50.0]) == 0.0
