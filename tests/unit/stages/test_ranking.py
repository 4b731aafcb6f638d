"""Means of few are uncertain and lie near that of all; means of many stand by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.ranking import NO_SCORES, Field, Scores, ranks

AGENTS = st.lists(st.builds(Scores, st.integers(0, 500), st.floats(0, 100), st.floats(0, 900)), max_size=30)
CROWD = [Scores(200, mean, 100.0) for mean in (60.0, 65.0, 70.0, 75.0, 80.0)]


def test_few_calls_lie_nearer_to_the_mean_of_all_than_many_with_the_same_mean() -> None:
    few, many = Scores(2, 95.0, 100.0), Scores(200, 95.0, 100.0)
    field = Field.of([*CROWD, few, many])
    one, other = field.standing(few), field.standing(many)
    assert one is not None
    assert other is not None
    assert 70.0 < one.estimate < other.estimate < 95.0
    assert one.high - one.low > 5 * (other.high - other.low)
    assert one.estimate_high - one.estimate_low > 2 * (other.estimate_high - other.estimate_low)
    assert other.certain


def test_a_single_call_has_the_widest_interval_and_is_not_certain() -> None:
    field = Field.of([*CROWD, Scores(1, 78.0, 0.0)])
    standing = field.standing(Scores(1, 78.0, 0.0))
    assert standing is not None
    assert standing.high - standing.low > 35
    assert not standing.certain


def test_the_scatter_is_learned_from_all() -> None:
    field = Field.of(CROWD)
    assert field.mean == 70.0
    assert field.within == pytest.approx(100.5, abs=0.05)
    # The means' own variance is 62.5, of which chance makes half a point.
    assert field.between == pytest.approx(62.0, abs=0.05)
    assert field.quantile == pytest.approx(1.962, abs=0.001)


def test_without_scores_nothing_is_known() -> None:
    assert Field.of([]).standing(NO_SCORES) is None
    assert Field.of([NO_SCORES]).mean is None


def test_two_calls_of_one_agent_are_no_proof_of_anything() -> None:
    field = Field.of([Scores(1, 40.0, 0.0), Scores(1, 90.0, 0.0)])
    standing = field.standing(Scores(1, 90.0, 0.0))
    assert standing is not None
    assert not standing.certain


def test_a_change_is_certain_where_chance_is_unlikely() -> None:
    field = Field.of(CROWD)
    assert field.is_change(Scores(200, 75.0, 100.0), Scores(200, 70.0, 100.0))
    assert not field.is_change(Scores(3, 75.0, 100.0), Scores(3, 70.0, 100.0))
    assert not field.is_change(Scores(3, 75.0, 100.0), NO_SCORES)


def test_equal_estimates_are_ranked_by_name() -> None:
    assert ranks({"b": 70.0, "a": 70.0, "c": 80.0}) == {"c": 1, "a": 2, "b": 3}


@given(AGENTS)
def test_whatever_the_scores_intervals_hold_their_middle_and_stay_within_bounds(agents: list[Scores]) -> None:
    field = Field.of(agents)
    for scores in agents:
        standing = field.standing(scores)
        assert (standing is None) == (scores.count == 0)
        if standing is None or field.mean is None:
            continue
        assert 0 <= standing.low <= scores.mean <= standing.high <= 100
        assert 0 <= standing.estimate_low <= standing.estimate + 1e-9
        assert standing.estimate - 1e-9 <= standing.estimate_high <= 100
        assert min(scores.mean, field.mean) - 1e-9 <= standing.estimate <= max(scores.mean, field.mean) + 1e-9
