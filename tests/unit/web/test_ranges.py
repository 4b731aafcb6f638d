"""Ranges of bytes as RFC 9110 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.web.ranges import ByteRange, UnsatisfiableError, asked_range, is_known, range_holds


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=0-499", ByteRange(0, 499)),
        ("bytes=500-", ByteRange(500, 999)),
        ("bytes=-1", ByteRange(999, 999)),
        ("bytes=-5000", ByteRange(0, 999)),
        ("bytes=990-5000", ByteRange(990, 999)),
        ("Bytes= 1-2 ", ByteRange(1, 2)),
    ],
)
def test_one_range_is_answered(header: str, expected: ByteRange) -> None:
    assert asked_range(header, 1000) == expected


UNCLEAR = ("", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=٣-٤", "bytes=1-2x", f"bytes={'9' * 40}-")


@pytest.mark.parametrize("header", [None, *UNCLEAR])
def test_what_cannot_be_understood_and_several_ranges_are_answered_with_all_of_it(header: str | None) -> None:
    assert asked_range(header, 1000) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=1000-", 1000), ("bytes=1000-1001", 1000), ("bytes=-0", 1000), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_a_range_past_the_end_cannot_be_answered(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        asked_range(header, size)


@given(st.text(max_size=40).map("bytes={}".format) | st.text(max_size=40), st.integers(0, 10_000))
def test_whatever_is_asked_a_range_lies_within_the_object(header: str, size: int) -> None:
    try:
        found = asked_range(header, size)
    except UnsatisfiableError:
        return
    assert found is None or 0 <= found.first <= found.last < size


def test_conditions_name_the_object() -> None:
    assert range_holds(None, '"a"')
    assert range_holds('"a"', '"a"')
    assert not range_holds('W/"a"', '"a"')
    assert not range_holds("Sun, 22 Nov 2026 06:00:00 GMT", '"a"')
    assert is_known('"b", W/"a"', '"a"')
    assert is_known("*", '"a"')
    assert not is_known('"b"', '"a"')
    assert not is_known(None, '"a"')
