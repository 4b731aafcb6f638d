"""What is looked for, and where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.stages.searching import MOST_WORDS, Looked


def test_words_are_letters_and_digits_in_small_letters_and_each_counts_once() -> None:
    assert Looked.for_("Refund, REFUND 42! khách-hàng") == Looked(("refund", "42", "khách", "hàng"))


def test_a_phrase_stands_in_quotes_and_its_words_are_looked_for_too() -> None:
    assert Looked.for_('cancel "My Contract" "alone"') == Looked(("cancel", "my", "contract", "alone"), ("my contract",))


@pytest.mark.parametrize("text", ["", "  ", "%_*'\"", "x" * 201, " ".join(map(str, range(MOST_WORDS + 1)))])
def test_nothing_or_too_much_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="look for"):
        Looked.for_(text)


def test_whole_words_are_found_whatever_their_letters() -> None:
    looked = Looked.for_("refund")
    assert looked.is_in("A REFUND, please")
    assert not looked.is_in("refunded")


@given(st.text(max_size=600), st.sampled_from(["refund", "a", "khách hàng"]))
def test_joined_the_parts_are_a_piece_of_the_text(text: str, query: str) -> None:
    looked = Looked.for_(query)
    parts = list(looked.parts(text))
    assert "".join(part for part, _ in parts).removeprefix("…").removesuffix("…") in text
    assert all(part.lower() in looked.words for part, hit in parts if hit)


def test_a_long_text_is_shown_around_the_first_word_that_was_found() -> None:
    text = "word " * 200 + "my refund now " + "word " * 200
    parts = list(Looked.for_("refund").parts(text))
    assert parts[0] == ("…", False)
    assert parts[-1] == ("…", False)
    assert ("refund", True) in parts
    assert sum(len(part) for part, _ in parts) < 250


def test_a_word_without_end_is_shown_too() -> None:
    parts = list(Looked.for_("refund").parts("x" * 400 + " refund " + "y" * 400))
    assert ("refund", True) in parts
