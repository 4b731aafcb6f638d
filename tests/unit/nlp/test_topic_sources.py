"""How the packaged topic head does on texts of its own sources that it was not trained on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from voc_stream.nlp.sentiment import SentimentScorer
from voc_stream.nlp.topic_sources import Labelled, read_seeds, read_sources
from voc_stream.nlp.topics import TOPICS, TopicClassifier

OURS = Path(__file__).parents[2] / "data" / "topics.csv"
FOLDER = Path(__file__).parents[4] / "shared" / "data" / "text"


@pytest.fixture(scope="module")
def rows() -> list[Labelled]:
    try:
        return read_sources(FOLDER)
    except FileNotFoundError:
        pytest.skip("the labelled texts are not here (../shared/data/text)")


def test_held_back_texts_get_their_topic(rows: list[Labelled]) -> None:
    held_back = [row for row in rows if row.held_back]
    texts = [row.text for row in held_back]
    feelings = SentimentScorer.load().texts(texts).tolist()
    topics = TopicClassifier.load().classify_many(["acme"] * len(texts), texts, feelings)
    right = sum(topic.topic == row.topic for topic, row in zip(topics, held_back, strict=True))
    assert right / len(texts) >= 0.95


def test_texts_of_no_source_get_their_topic_mostly() -> None:
    """What customers say on the phone, in our own words; nothing was learned from these."""
    with OURS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row["text"] for row in rows]
    topics = TopicClassifier.load().classify_many(["acme"] * len(texts), texts, SentimentScorer.load().texts(texts).tolist())
    right = sum(topic.topic == row["label"] for topic, row in zip(topics, rows, strict=True))
    assert {row["label"] for row in rows} == set(TOPICS)
    assert right / len(texts) >= 0.8


def test_a_fifth_of_the_texts_is_held_back_and_copies_of_a_text_stay_together(rows: list[Labelled]) -> None:
    held_back = {row.text.lower() for row in rows if row.held_back}
    assert 0.17 < sum(row.held_back for row in rows) / len(rows) < 0.23
    assert not held_back & {row.text.lower() for row in rows if not row.held_back}


def test_every_topic_has_texts(rows: list[Labelled]) -> None:
    assert {row.topic for row in rows} == set(TOPICS)
    assert {row.topic for row in read_seeds()} == set(TOPICS) - {"complaint", "praise"}
