from __future__ import annotations

from voc_stream.scoring.conversation import Word, build_turns


def spoken(text: str, start: float) -> list[Word]:
    return [Word(word, start + at * 0.3, start + at * 0.3 + 0.25) for at, word in enumerate(text.split())]


def test_speakers_take_turns_in_order_of_time() -> None:
    turns = build_turns({"agent": spoken("hello there", 0) + spoken("what is it", 6), "customer": spoken("my line is dead", 3)})
    assert [(turn.speaker, turn.text) for turn in turns] == [("agent", "hello there"), ("customer", "my line is dead"), ("agent", "what is it")]


def test_a_short_pause_does_not_end_a_turn_and_a_long_one_does() -> None:
    assert len(build_turns({"agent": spoken("one two", 0) + spoken("three", 1.5)})) == 1
    assert len(build_turns({"agent": spoken("one two", 0) + spoken("three", 9)})) == 2


def test_a_remark_into_a_long_turn_does_not_cut_it() -> None:
    turns = build_turns({"agent": spoken("a b c d e f g h i j k l", 0), "customer": spoken("mhm", 1.0)})
    assert [turn.speaker for turn in turns] == ["agent", "customer"]


def test_words_that_come_out_of_order_are_sorted() -> None:
    (turn,) = build_turns({"unknown": spoken("later", 0.5) + spoken("first", 0.0)})
    assert turn.text == "first later"


def test_nothing_said_gives_no_turn() -> None:
    assert build_turns({"agent": [], "customer": []}) == ()
