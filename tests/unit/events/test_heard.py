"""What of an event is read for feeling and topic."""

from __future__ import annotations

from typing import Any

import pytest

from tests.voc import action_value, call_value
from voc_stream.events.heard import MOST_CHARACTERS
from voc_stream.events.voc import decode_voc, heard_text


def _turn(speaker: str, text: str) -> dict[str, Any]:
    return {"speaker": speaker, "start": 0, "end": 1, "text": text}


def _heard(*turns: dict[str, Any], **fields: Any) -> str:
    return heard_text(decode_voc(call_value(turns=turns, **fields)))


def test_of_a_call_the_customer_s_turns_are_heard_a_line_each() -> None:
    assert _heard(_turn("customer", "a"), _turn("agent", "b"), _turn("customer", "c"), transcript="a b c") == "a\nc"


def test_a_speaker_s_name_may_be_written_in_any_case() -> None:
    assert _heard(_turn("Agent", "a"), _turn("CUSTOMER ", "b")) == "b"


def test_where_only_the_agent_speaks_nothing_is_heard() -> None:
    assert _heard(_turn("agent", "a"), _turn("unknown", "b"), transcript="a b") == ""


@pytest.mark.parametrize("turns", [(), (_turn("unknown", "a"), _turn("unknown", "b"))])
def test_where_no_turn_says_who_speaks_the_transcript_is_heard(turns: tuple[dict[str, Any], ...]) -> None:
    assert _heard(*turns, transcript="whole") == "whole"


def test_where_there_is_no_transcript_either_all_turns_are_heard() -> None:
    assert _heard(_turn("unknown", "a"), _turn("", "b")) == "a\nb"


def test_a_call_without_words_and_other_types_are_silent() -> None:
    assert _heard() == ""
    assert heard_text(decode_voc(action_value(transcript="not a call's"))) == ""


def test_a_very_long_call_is_heard_in_part() -> None:
    assert len(_heard(transcript="x" * 1_000_000)) == MOST_CHARACTERS
    assert len(_heard(*[_turn("customer", "y" * 100)] * 5000)) == MOST_CHARACTERS
