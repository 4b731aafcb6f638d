from __future__ import annotations

import pytest

from voc_stream.scoring.conversation import Turn, Word
from voc_stream.scoring.phrases import find


def said(text: str) -> Turn:
    return Turn("agent", tuple(Word(word, float(at), at + 0.5) for at, word in enumerate(text.split())))


@pytest.mark.parametrize(
    ("phrase", "text", "quote"),
    [
        ("thank you", "Well, thank you, Jack.", "thank you,"),
        ("this is <name>", "Hi, this is Travis.", "this is Travis."),
        ("thank|thanks you for calling", "Thank you for calling!", "Thank you for calling!"),
        ("call * recorded", "This call may be recorded.", "call may be recorded."),
        ("call * recorded", "This call recorded", "call recorded"),
        ("i'm <name>", "I'm Michelle, hello", "I'm Michelle,"),
    ],
)
def test_a_phrase_is_found_whatever_its_case_and_punctuation(phrase: str, text: str, quote: str) -> None:
    (found,) = find([phrase], [said(text)])
    assert found.quote == quote


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("this is <name>", "this is not good"),
        ("this is <name>", "this is I"),
        ("call * recorded", "call me when all of it has been recorded"),
        ("thank you", "thank"),
        ("bye", "by the way"),
    ],
)
def test_what_is_not_the_phrase_is_not_found(phrase: str, text: str) -> None:
    assert list(find([phrase], [said(text)])) == []


def test_a_place_has_its_time_and_speaker() -> None:
    (found,) = find(["two three"], [said("one two three")])
    assert (found.start, found.end, found.speaker) == (1.0, 2.5, "agent")


def test_the_longest_phrase_wins_and_places_do_not_overlap() -> None:
    found = list(find(["thank you", "thank you very much"], [said("thank you very much thank you")]))
    assert [one.quote for one in found] == ["thank you very much", "thank you"]
