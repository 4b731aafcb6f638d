"""Learning feeling from a few made-up rated texts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from voc_stream.nlp.sentiment_head import SentimentHead
from voc_stream.nlp.sentiment_sources import Rated
from voc_stream.nlp.train_sentiment import learn_head, learn_words, write_words

pytestmark = pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="the group train is not installed")

SAID = (("the zorky menu", -2.0), ("the blithe menu", 2.0), ("the menu", 0.0), ("a good menu", 2.0), ("a bad menu", -2.0))
ROWS = [Rated(("amazon", "movies", "nyt", "tweets")[at % 4], str(at), SAID[at % 5][1], SAID[at % 5][0]) for at in range(400)]


def test_a_listed_word_gets_the_valence_that_people_give_it() -> None:
    learned = learn_words(ROWS, ["blithe", "zorky", "unheard"])
    assert learned.keys() == {"blithe", "zorky"}
    assert learned["zorky"] < -0.5 < 0.5 < learned["blithe"]


def test_words_are_written_in_order(tmp_path: Path) -> None:
    write_words(tmp_path / "words.tsv", {"zorky": -1.5, "blithe": 2.0})
    assert (tmp_path / "words.tsv").read_text(encoding="utf-8") == "blithe\t2.0\nzorky\t-1.5\n"


def test_a_head_tells_the_feelings_that_it_was_taught() -> None:
    ratings = np.array([row.rating for row in ROWS])
    embeddings = np.random.default_rng(1).normal(scale=0.05, size=(len(ROWS), 384))
    embeddings[:, 0] += np.sign(ratings)
    arrays = learn_head(ROWS, embeddings, np.zeros(len(ROWS)))
    head = SentimentHead("test", arrays["weights"].astype(np.float64), arrays["bias"].astype(np.float64))
    scores = head.scores(embeddings, np.zeros(len(ROWS)))
    assert (np.sign(np.round(scores, 1)) == np.sign(ratings)).mean() > 0.95
    assert np.abs(scores).max() <= 1
