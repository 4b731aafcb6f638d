"""What is held back, the calls made of it, and how the default does on the whole of it."""

from __future__ import annotations

import pytest

from tests.rated import FOLDER, needs_rated_texts
from voc_stream.evaluate_sentiment import SCORE_CUTS
from voc_stream.nlp.evaluation import FEELINGS, Agreement, feeling, pearson
from voc_stream.nlp.sentiment import SentimentScorer
from voc_stream.nlp.sentiment_sources import Rated, made_up_calls, read_rated

ROWS = [Rated("movies", str(at), (-3.0, -1.0, 0.2, 1.0, 3.0)[at % 5], f"sentence number {at}") for at in range(500)]


def test_one_in_five_is_held_back_and_the_sentences_of_one_review_stay_together() -> None:
    assert 60 <= sum(row.held_back for row in ROWS) <= 140
    review = {Rated("amazon", f"12_{at}", 0.0, "text").held_back for at in range(50)}
    assert len(review) == 1


def test_a_made_up_call_has_two_hundred_words_and_the_mean_of_its_ratings() -> None:
    calls = made_up_calls(ROWS, 20, seed=1)
    assert calls == made_up_calls(ROWS, 20, seed=1)
    assert all(200 <= len(text.split()) < 210 and -3 <= rating <= 3 for text, rating in calls)
    assert calls != made_up_calls(ROWS, 20, seed=2)
    by_text = {row.text: row.rating for row in ROWS}
    text, rating = calls[0]
    parts = [part for part in text.split(".") if part]
    assert rating == pytest.approx(sum(by_text[part.strip()] for part in parts) / len(parts))


@needs_rated_texts
def test_no_text_is_both_trained_on_and_held_back() -> None:
    training, held_back = read_rated(FOLDER)
    assert len(held_back) > 2000
    assert not {row.text.lower() for row in training} & {row.text.lower() for row in held_back}


@needs_rated_texts
def test_the_default_agrees_with_people_on_what_was_held_back() -> None:
    _, held_back = read_rated(FOLDER)
    scorer = SentimentScorer.load()
    cut = SCORE_CUTS["rule"]
    said = [feeling(score, -cut, cut) for score in scorer.texts([row.text for row in held_back])]
    assert Agreement.of(FEELINGS, [feeling(row.rating, -0.5, 0.5) for row in held_back], said).accuracy >= 0.60
    calls = made_up_calls(held_back, 1500, seed=5)
    assert pearson([rating for _, rating in calls], scorer.texts([text for text, _ in calls]).tolist()) >= 0.83
