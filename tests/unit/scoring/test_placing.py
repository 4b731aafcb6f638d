from __future__ import annotations

import pytest

from voc_stream.scoring.audio import RATE
from voc_stream.scoring.packing import pack
from voc_stream.scoring.placing import Segment, place

# 2 s from the call's second 10 on, and 2 s from its second 40 on.
WINDOW = pack([(10 * RATE, 12 * RATE), (40 * RATE, 42 * RATE)])


def test_words_get_their_share_of_the_phrase_by_their_letters() -> None:
    words = place([Segment(0.0, 1.0, "a longest")], WINDOW)
    assert [(word.text, word.start, word.end) for word in words] == [("a", 10.0, pytest.approx(10.2)), ("longest", pytest.approx(10.2), 11.0)]


def test_a_phrase_after_the_pause_is_placed_after_it_in_the_call() -> None:
    (word,) = place([Segment(2.5, 3.0, "yes")], WINDOW)
    assert (word.start, word.end) == (40.5, 41.0)


def test_no_word_spans_the_pause() -> None:
    words = place([Segment(0.0, 4.0, "one two three four five six")], WINDOW)
    assert all(word.end <= 12 or word.start >= 40 for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_a_sentence_that_ends_near_the_pause_ended_there() -> None:
    words = place([Segment(0.0, 4.0, "It works again now. Thank you very much")], WINDOW)
    assert [word.text for word in words if word.start < 20] == ["It", "works", "again", "now."]


def test_times_beyond_the_window_end_with_it() -> None:
    (word,) = place([Segment(3.0, 30.0, "bye")], WINDOW)
    assert (word.start, word.end) == (41.0, 42.0)


def test_an_empty_phrase_has_no_words() -> None:
    assert place([Segment(0.0, 1.0, "")], WINDOW) == []
