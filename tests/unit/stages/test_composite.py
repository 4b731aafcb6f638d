"""The formula of the composite score, and which of two values is the newest."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.calls import NOW
from tests.composites import feeling, quality, sides
from voc_stream.stages.composite import Weight, Weights

LATER = NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("score", "sentiment", "weight", "composite"),
    [
        ("100.00", 1.0, "0.7", "100.00"),
        ("0.00", -1.0, "0.7", "0.00"),
        ("80.00", 0.5, "0.7", "78.50"),
        ("80.00", 0.0, "0.7", "71.00"),
        ("80.00", 0.5, "1", "80.00"),
        ("80.00", 0.5, "0", "75.00"),
        ("87.25", -0.333333, "0.615", "66.49"),
        ("0.01", -1.0, "0.5", "0.01"),
    ],
)
def test_quality_and_sentiment_are_weighed(score: str, sentiment: float, weight: str, composite: str) -> None:
    call = sides(quality(score), feeling(sentiment), weight=Weight(Decimal(weight), 1))
    assert call.composite == Decimal(composite)


def test_a_call_with_one_side_or_one_that_cannot_be_scored_has_none() -> None:
    assert sides(quality()).composite is None
    assert sides(None, feeling()).composite is None
    assert sides(quality(None), feeling()).composite is None


def test_a_new_score_takes_the_place_of_an_old_one_and_never_the_other_way_round() -> None:
    old, new = sides(quality("10.00", at=NOW)), sides(quality("90.00", model="m2", at=LATER))
    assert old.merged(new).quality == new.merged(old).quality == new.quality


def test_of_two_scores_of_one_moment_the_later_models_stands_whichever_came_first() -> None:
    one, two = sides(quality("10.00", model="m1")), sides(quality("90.00", model="m2"))
    assert one.merged(two).quality == two.merged(one).quality == two.quality


def test_the_same_event_heard_again_changes_nothing_even_if_it_is_felt_otherwise() -> None:
    first, again = sides(None, feeling(0.5)), sides(None, feeling(-0.5))
    assert first.merged(again) == first


def test_a_later_version_of_the_weights_takes_the_place_of_an_earlier_one() -> None:
    old, new = sides(quality(), weight=Weight(Decimal("0.7"), 1)), sides(None, feeling(), weight=Weight(Decimal("0.2"), 2))
    assert old.merged(new).weight == new.merged(old).weight == new.weight


def test_a_tenant_has_its_own_weight_or_the_default() -> None:
    weights = Weights(3, Decimal("0.6"), {"acme": Decimal("0.9")})
    assert weights.of("acme") == Weight(Decimal("0.9"), 3)
    assert weights.of("globex") == Weight(Decimal("0.6"), 3)
    assert Weights().of("globex") == Weight(Decimal("0.7"), 0)
