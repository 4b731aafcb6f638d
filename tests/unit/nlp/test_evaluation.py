from __future__ import annotations

import pytest

from voc_stream.nlp.evaluation import FEELINGS, Agreement, feeling, pearson


def test_accuracy_and_macro_f1_are_those_of_the_table() -> None:
    agreement = Agreement.of(("a", "b", "c"), ["a", "a", "b", "b"], ["a", "b", "b", "b"])
    assert agreement.counts == {("a", "a"): 1, ("a", "b"): 1, ("b", "b"): 2}
    assert agreement.accuracy == 0.75
    # a: 2 * 1 / (2 + 1), b: 2 * 2 / (2 + 3); c occurs nowhere and does not count.
    assert agreement.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_nothing_agrees_with_nothing() -> None:
    agreement = Agreement.of(FEELINGS, [], [])
    assert (agreement.total, agreement.accuracy, agreement.macro_f1) == (0, 0.0, 0.0)


def test_a_value_at_the_cut_is_neutral() -> None:
    assert [feeling(value, -0.5, 0.5) for value in (-0.51, -0.5, 0.5, 0.51)] == ["negative", "neutral", "neutral", "positive"]


def test_correlation_needs_two_different_values_on_both_sides() -> None:
    assert pearson([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    assert pearson([1.0], [1.0]) == pearson([1.0, 1.0], [1.0, 2.0]) == pearson([1.0, 2.0], [3.0, 3.0]) == 0.0
