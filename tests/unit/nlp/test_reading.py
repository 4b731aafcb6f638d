from __future__ import annotations

import numpy as np
import pytest

from voc_stream.nlp import reading
from voc_stream.nlp.reading import NO_WORD, UNKNOWN, Vocabulary, WordReader

VOCABULARY = Vocabulary.of(["good", "don't", "well", "done"], ["good", ":)"])
GOOD, DONT, WELL, DONE, SMILE = (VOCABULARY.numbers[word] for word in ("good", "don't", "well", "done", ":)"))


@pytest.fixture
def reader() -> WordReader:
    return WordReader(VOCABULARY)


def test_words_are_numbered_once_from_two_on() -> None:
    assert sorted(VOCABULARY.numbers.values()) == [2, 3, 4, 5, 6]
    assert len(VOCABULARY) == 7


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("good", [GOOD]),
        ("GOOD, Good; (good)", [GOOD, GOOD, GOOD]),
        ("well-done", [WELL, DONE]),
        ("don't don\u2019t", [DONT, DONT]),
        ("'good'", [GOOD]),
        ("a good 2nd", [UNKNOWN, GOOD, UNKNOWN]),
        (":) good:)", [SMILE, GOOD, SMILE]),
        ("-- good , ", [GOOD]),
        ("... !", [NO_WORD, NO_WORD]),
        ("", []),
        ("猫が好き", []),
    ],
)
def test_a_text_is_its_words_in_order(reader: WordReader, text: str, numbers: list[int]) -> None:
    assert reader.read([text]).numbers.tolist() == numbers


def test_pieces_of_no_word_and_of_several_are_in_their_places_the_second_time_too(reader: WordReader) -> None:
    for _ in range(2):
        words = reader.read(["well-done good", "--", "good -- well-well-done 12", "done"])
        assert words.numbers.tolist() == [WELL, DONE, GOOD, GOOD, WELL, WELL, DONE, UNKNOWN, DONE]
        assert words.lengths.tolist() == [3, 0, 5, 1]


def test_texts_lie_one_after_the_other(reader: WordReader) -> None:
    words = reader.read(["good", "", "well done", ""])
    assert words.lengths.tolist() == [1, 0, 2, 0]
    assert words.ends.tolist() == [1, 1, 3, 3]
    assert words.count(VOCABULARY.marks(["good", "done"])).tolist() == [1, 0, 1, 0]
    assert reader.read(["good ...", "..."]).count_spoken().tolist() == [1, 0]


def test_no_texts_are_no_words(reader: WordReader) -> None:
    words = reader.read([])
    assert (len(words.numbers), len(words.lengths)) == (0, 0)
    assert words.count(VOCABULARY.marks(["good"])).tolist() == []


def test_punctuation_is_kept_at_the_word_before_it(reader: WordReader) -> None:
    words = reader.read(['Good! well? "done." good\nGOOD :) ;)'])
    assert words.ends_sentence().tolist() == [True, True, True, False, True, False, False, False]
    assert words.exclamations().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert words.in_capitals(np.arange(6)).tolist() == [False, False, False, False, False, True]


def test_what_is_remembered_changes_nothing(reader: WordReader) -> None:
    text = "Well-DONE!! don't, GOOD."
    first, again = reader.read([text]), reader.read([text])
    assert first.numbers.tolist() == again.numbers.tolist()
    assert first.exclamations().tolist() == again.exclamations().tolist()


def test_what_is_remembered_is_bounded_in_number_and_length(reader: WordReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_REMEMBERED_PIECES", 10)
    words = reader.read([" ".join(f"w{at}" for at in range(100)), "x" * 1000, "good"])
    assert words.lengths.tolist() == [100, 1, 1]
    assert reader.read(["good"]).numbers.tolist() == [GOOD]
    assert len(reader._pieces) <= 10
    assert max(map(len, reader._pieces)) < 1000


def test_of_numbers_is_remembered_how_they_end(reader: WordReader) -> None:
    words = reader.read([f"{number}, {number}. {number}!! {number}" for number in range(1000, 1100)])
    assert words.numbers.tolist() == [UNKNOWN] * 400
    assert words.ends_sentence().tolist() == [False, True, True, False] * 100
    assert words.exclamations().tolist() == [0, 0, 2, 0] * 100
    assert len(reader._pieces) <= 5


def test_texts_that_hold_what_stands_between_texts_are_told_apart(reader: WordReader) -> None:
    words = reader.read(["good \x00 done", "\x00", "", "well\x00done \x00"])
    assert words.lengths.tolist() == [2, 0, 0, 2]
    assert words.numbers.tolist() == [GOOD, DONE, WELL, DONE]
