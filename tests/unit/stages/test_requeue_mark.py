"""The mark that a requeued record carries."""

from __future__ import annotations

import pytest

from voc_stream.stages.requeue_mark import HEADER, RequeueMark, mark_of, unmarked

ORIGINAL = (("traceparent", b"00-1"), ("x", b""), ("x", b"\x00\xff"))


def test_a_mark_is_read_back_and_the_original_headers_stay_in_their_order() -> None:
    marked = RequeueMark(41, 2).added_to(ORIGINAL)

    assert marked[:3] == ORIGINAL
    assert mark_of(marked) == RequeueMark(41, 2)
    assert unmarked(marked) == ORIGINAL


def test_a_second_mark_takes_the_place_of_the_first() -> None:
    again = RequeueMark(57, 2).added_to(RequeueMark(41, 1).added_to(ORIGINAL))

    assert [name for name, _ in again].count(HEADER) == 1
    assert mark_of(again) == RequeueMark(57, 2)


@pytest.mark.parametrize("value", [b"", b"0/1", b"1/0", b"1", b"a/b", b"1/1\n", b"-1/2", b"1" * 19 + b"/1", b"1/1234567890"])
def test_what_a_stranger_wrote_is_no_mark(value: bytes) -> None:
    assert mark_of(((HEADER, value),)) is None


def test_a_record_that_was_never_requeued_has_no_mark() -> None:
    assert mark_of(ORIGINAL) is None
