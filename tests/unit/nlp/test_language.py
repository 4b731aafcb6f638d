"""Languages are told apart; tests/data/languages.csv holds made-up customers' sentences."""

from __future__ import annotations

import csv
import socket
from pathlib import Path

import pytest

from voc_stream.nlp.language import FUNCTION_WORDS, LanguageDetector, declared_language
from voc_stream.nlp.reading import Vocabulary, WordReader

SENTENCES = Path(__file__).parent.parent.parent / "data" / "languages.csv"
ENGLISH = (
    "Hello, I am calling about this month's bill because I was charged twice and nobody has called me back.",
    "Thank you so much, the service was excellent.",
    "I want to cancel my order",
    "Why is my account locked?",
)


@pytest.fixture(scope="module")
def reader() -> WordReader:
    return WordReader(Vocabulary.of(sorted(FUNCTION_WORDS)))


@pytest.fixture(scope="module")
def detector(reader: WordReader) -> LanguageDetector:
    return LanguageDetector(reader.vocabulary)


def detect(detector: LanguageDetector, reader: WordReader, *texts: str) -> list[str]:
    return detector.languages(texts, reader.read(texts), [""] * len(texts))


def test_english_is_english(detector: LanguageDetector, reader: WordReader) -> None:
    assert detect(detector, reader, *ENGLISH) == ["en"] * len(ENGLISH)


def test_english_with_plain_function_words_does_not_need_the_model(
    detector: LanguageDetector, reader: WordReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "ask_model", lambda _: pytest.fail("the model was asked"))
    assert detect(detector, reader, ENGLISH[0], ENGLISH[1]) == ["en", "en"]


def test_no_sentence_of_another_language_is_taken_for_english(detector: LanguageDetector, reader: WordReader) -> None:
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = detect(detector, reader, *(row["text"] for row in rows))
    assert "en" not in found
    assert sum(language == row["language"] for language, row in zip(found, rows, strict=True)) >= 0.95 * len(rows)


def test_what_an_event_declares_stands(detector: LanguageDetector, reader: WordReader) -> None:
    assert detector.languages(ENGLISH[:2], reader.read(ENGLISH[:2]), ["vi", ""]) == ["vi", "en"]


@pytest.mark.parametrize("text", ["", "...", "12345", "a\x00b", "lone \ud800 surrogate here", "\n\n", "zzz qqq xkcd"])
def test_a_text_that_tells_nothing_does_no_harm(detector: LanguageDetector, reader: WordReader, text: str) -> None:
    (language,) = detect(detector, reader, text)
    assert len(language) <= 3


def test_the_network_is_never_asked(detector: LanguageDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
    assert detector.ask_model("Tôi muốn hủy đơn hàng của tôi") == "vi"


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"), ("EN-us", "en"), ("en_GB", "en"), ("vie", "vi"), ("tl", "tl"), ("fil", "fil"), (" vi ", "vi"), ("zh-Hant-TW", "zh"),
        (None, ""), ("", ""), ("und", ""), ("english", ""), ("auto", ""), ("12", ""), ("e", ""), ("'; DROP", ""), ("e\u0301n", ""),
    ],
)  # fmt: skip
def test_a_declared_language_is_its_primary_subtag(tag: str | None, language: str) -> None:
    assert declared_language(tag) == language
