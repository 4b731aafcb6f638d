from __future__ import annotations

import csv
import statistics
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.nlp.sentiment import SentimentScorer, sentences

RATED = Path("../shared/data/text/sentiment_hutto_part.csv")


@cache
def loaded() -> SentimentScorer:
    return SentimentScorer.load()


@pytest.fixture
def scorer() -> SentimentScorer:
    return loaded()


@pytest.mark.parametrize("text", ["", "...", "The parcel was on the table."])
def test_text_without_feeling_is_zero(scorer: SentimentScorer, text: str) -> None:
    assert scorer.text(text) == 0.0


def test_praise_is_positive_and_complaint_is_negative(scorer: SentimentScorer) -> None:
    assert scorer.text("This is great, thank you!") > 0.5
    assert scorer.text("This is terrible and I am angry.") < -0.5


def test_a_negation_turns_the_word_after_it(scorer: SentimentScorer) -> None:
    assert scorer.sentence("I am not happy") < 0 < scorer.sentence("I am happy")


def test_a_booster_strengthens_and_a_dampener_weakens(scorer: SentimentScorer) -> None:
    assert scorer.sentence("it is slightly bad") > scorer.sentence("it is bad") > scorer.sentence("it is extremely bad")


def test_what_comes_after_but_counts_more(scorer: SentimentScorer) -> None:
    assert scorer.sentence("the start was bad but the end was good") > scorer.sentence("the end was good but the start was bad")


def test_capitals_and_exclamation_marks_strengthen(scorer: SentimentScorer) -> None:
    assert scorer.sentence("it is GREAT") > scorer.sentence("it is great")
    assert scorer.sentence("it is great!!") > scorer.sentence("it is great")


def test_a_text_is_the_mean_of_its_sentences_where_an_unfelt_one_weighs_a_quarter(scorer: SentimentScorer) -> None:
    good, bad, plain = "That is wonderful.", "It is a mess!", "The parcel was on the table."
    assert scorer.text(f"{good} {bad}") == pytest.approx((scorer.sentence(good) + scorer.sentence(bad)) / 2)
    assert scorer.text(f"{good} {plain} {plain} ...") == pytest.approx(scorer.sentence(good) / 1.5)


def test_scores_stay_within_minus_one_and_one(scorer: SentimentScorer) -> None:
    assert -1 <= scorer.text("hate " * 500) < 0 < scorer.text("love " * 500) <= 1


@pytest.mark.skipif(not RATED.exists(), reason="../shared/data/text is not here")
def test_it_agrees_with_people_on_customer_reviews(scorer: SentimentScorer) -> None:
    with RATED.open(encoding="utf-8", newline="") as file:
        rows = [(float(row["rating"]), scorer.text(row["text"])) for row in csv.DictReader(file) if row["source"] == "amazon"]
    assert statistics.correlation(*zip(*rows, strict=True)) > 0.55


def test_sentences_are_cut_at_their_ends() -> None:
    assert sentences('One. Two! "Three?" Four\nFive') == ["One.", "Two!", '"Three?"', "Four", "Five"]


def test_texts_together_score_as_each_alone(scorer: SentimentScorer) -> None:
    texts = ["This is great! But the wait was awful.", "", "ok", "NOT good at all.", "...", "I love it but it is BAD", "(so good)"]
    assert scorer.texts(texts).tolist() == [scorer.text(text) for text in texts]
    assert scorer.texts([]).tolist() == []
    assert scorer.texts(["", " "]).tolist() == [0.0, 0.0]


def test_nothing_of_one_sentence_or_text_reaches_into_the_next(scorer: SentimentScorer) -> None:
    assert scorer.texts(["it is not", "good"])[1] == scorer.text("good")
    assert scorer.text("It is not. Good.") == pytest.approx(scorer.sentence("Good.") / 1.25)


PIECES = st.sampled_from(["good", "BAD!", "not", "very", "but", "awful.", "GREAT?!", "the", ":)", "\n", "...", "don't", "well-done;", "3", "hate,"])
TEXTS = st.lists(st.lists(PIECES, max_size=12).map(" ".join), max_size=8)


@given(TEXTS)
def test_a_text_scores_the_same_in_any_company(texts: list[str]) -> None:
    scorer = loaded()
    assert scorer.texts(texts).tolist() == pytest.approx([scorer.text(text) for text in texts])
