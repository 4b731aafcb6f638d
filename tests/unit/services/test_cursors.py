"""A cursor holds a place in one list, and nothing else is taken for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.services.cursors import CursorError, cursor_of, place_of
from voc_stream.services.reading_calls import CallsAsked

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


@given(st.floats(0, 100), st.integers(1, 2**63 - 1))
def test_a_place_comes_back_as_it_was(score: float, number: int) -> None:
    assert place_of(cursor_of((score, number), "q"), "q", tuple[float, int]) == (score, number)


def test_a_moment_comes_back_to_the_microsecond() -> None:
    question = CallsAsked(agent_id="anna", since=NOON)
    assert place_of(cursor_of((NOON, 7), question), CallsAsked(agent_id="anna", since=NOON), tuple[datetime, int]) == (NOON, 7)


def test_a_cursor_is_of_its_own_question_only() -> None:
    cursor = cursor_of((NOON, 7), CallsAsked(agent_id="anna"))
    for other in (CallsAsked(agent_id="ben"), CallsAsked(), CallsAsked(agent_id="anna", sort="score")):
        with pytest.raises(CursorError):
            place_of(cursor, other, tuple[datetime, int])


@given(st.one_of(st.text(max_size=300), st.binary(max_size=40).map(lambda data: data.hex())))
def test_whatever_else_is_sent_is_no_cursor(text: str) -> None:
    with pytest.raises(CursorError):
        place_of(text, "q", tuple[datetime, int])


def test_a_place_of_another_kind_is_refused() -> None:
    with pytest.raises(CursorError):
        place_of(cursor_of(("a text", 7), "q"), "q", tuple[datetime, int])
