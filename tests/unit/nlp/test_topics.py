"""What a customer's text is about."""

from __future__ import annotations

import pytest

from voc_stream.nlp.reading import Vocabulary, WordReader
from voc_stream.nlp.topic_keywords import parse_topic_keywords
from voc_stream.nlp.topics import TOPICS, TopicClassifier


@pytest.fixture(scope="module")
def classifier() -> TopicClassifier:
    return TopicClassifier.load()


@pytest.mark.parametrize(
    ("text", "sentiment", "topic"),
    [
        ("I was charged twice on my last invoice", -0.2, "billing"),
        ("how do I reset the password of my account", 0.0, "account"),
        ("let me talk to a live agent", 0.0, "agent"),
        ("please cancel my order and end the contract", 0.0, "cancellation"),
        ("my parcel has not arrived and the tracking number is wrong", -0.1, "delivery"),
        ("the router keeps blinking and there is no internet", -0.1, "technical"),
        ("what's the weather like on the moon", 0.0, "other"),
        ("I want to file a complaint about the delivery of my parcel", 0.0, "complaint"),
        ("this is ridiculous and the service is terrible", -0.7, "complaint"),
        ("your colleague was so helpful, thank you", 0.6, "praise"),
    ],
)
def test_each_topic_is_told(classifier: TopicClassifier, text: str, sentiment: float, topic: str) -> None:
    assert classifier.classify("acme", text, sentiment).topic == topic


def test_a_subject_that_is_plain_stands_whatever_the_customer_feels(classifier: TopicClassifier) -> None:
    text = "I was charged twice on my invoice, refund my payment"
    assert {classifier.classify("acme", text, sentiment).topic for sentiment in (-0.9, 0.0, 0.9, None)} == {"billing"}


def test_who_has_no_complaints_does_not_complain(classifier: TopicClassifier) -> None:
    assert classifier.classify("acme", "no complaints", 0.3).topic == "other"


@pytest.mark.parametrize("text", ["", "...", "xyzzy plugh", "Ωμέγα"])
def test_a_text_without_a_known_word_is_other_without_confidence(classifier: TopicClassifier, text: str) -> None:
    assert classifier.classify("acme", text, None) == ("other", 0.0, "tfidf-1")


def test_a_tenants_keyword_wins_and_is_named_as_the_source() -> None:
    keywords = parse_topic_keywords('[acme]\nwarranty = ["invoice"]')
    classifier = TopicClassifier.load(lambda: keywords)
    assert classifier.classify("acme", "a complaint about my invoice", -0.9) == ("warranty", 1.0, "keyword")
    assert classifier.classify("globex", "a complaint about my invoice", -0.9).source == "rule"


def test_what_is_not_english_has_a_tenants_keyword_or_no_topic() -> None:
    keywords = parse_topic_keywords('[acme]\ndelivery = ["giao hàng"]')
    reader = WordReader(Vocabulary.of(TopicClassifier.vocabulary()))
    classifier = TopicClassifier(reader, lambda: keywords)
    texts = ["my invoice", "Bao giờ giao hàng?", "mein invoice", "ich möchte bitte meine Rechnung sehen"]
    topics = classifier.read(["acme"] * 4, texts, reader.read(texts), [0.0, None, None, None], ["en", "vi", "de", ""])
    assert [tuple(topic) for topic in topics[1:]] == [("delivery", 1.0, "keyword"), ("other", 0.0, "tfidf-1"), ("other", 0.0, "tfidf-1")]
    assert topics[0].topic == "billing"


def test_many_texts_at_once_get_what_each_gets_alone(classifier: TopicClassifier) -> None:
    texts = ["", "my parcel", "", "the parcel fee", "thank you", "charged", "twice", ""]
    sentiments = [None, 0.0, 0.1, None, 0.5, 0.0, 0.0, 0.0]
    together = classifier.classify_many(["acme"] * len(texts), texts, sentiments)
    alone = [classifier.classify("acme", text, sentiment) for text, sentiment in zip(texts, sentiments, strict=True)]
    assert [topic.topic for topic in together] == [topic.topic for topic in alone]
    assert [topic.confidence for topic in together] == pytest.approx([topic.confidence for topic in alone], abs=1e-5)


def test_nothing_at_all_has_no_topics(classifier: TopicClassifier) -> None:
    assert classifier.classify_many([], [], []) == []


def test_a_reader_that_others_share_gives_the_same_topics(classifier: TopicClassifier) -> None:
    reader = WordReader(Vocabulary.of(["wonderful", "parcel"], TopicClassifier.vocabulary()))
    shared = TopicClassifier(reader)
    text = "my wonderful parcel has not arrived"
    assert shared.read(["acme"], [text], reader.read([text]), [0.4])[0].topic == classifier.classify("acme", text, 0.4).topic == "delivery"


@pytest.mark.parametrize("text", ["parcel " * 100_000, "\x00" * 10, "\ud800 parcel", "a" * 1_000_000])
def test_no_text_is_too_odd(classifier: TopicClassifier, text: str) -> None:
    topic, confidence, _ = classifier.classify("acme", text, -1.0)
    assert topic in TOPICS
    assert 0 <= confidence <= 1
