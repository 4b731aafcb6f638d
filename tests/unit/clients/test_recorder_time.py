"""The recorder's wall clock, in the nights in which it jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.clients.recorder_time import Window, span, windows

BERLIN = ZoneInfo("Europe/Berlin")
FOLD = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # 03:00 becomes 02:00
GAP = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 02:00 becomes 03:00
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def window(start: datetime, length: timedelta = MINUTE) -> Window:
    return windows(start, start + length, BERLIN)[0]


def walls(start: datetime, end: datetime) -> list[tuple[str, str]]:
    return [(f"{each.wall_start:%H:%M:%S}", f"{each.wall_end:%H:%M:%S}") for each in windows(start, end, BERLIN)]


def test_a_window_is_widened_to_whole_seconds() -> None:
    half = timedelta(milliseconds=500)
    assert walls(NOON + half, NOON + MINUTE + half) == [("13:00:00", "13:01:01")]


def test_a_window_over_a_fold_is_asked_in_two_that_run_forwards() -> None:
    assert walls(FOLD - MINUTE, FOLD + MINUTE) == [("02:59:00", "03:00:00"), ("02:00:00", "02:01:00")]


def test_a_window_over_a_gap_is_one() -> None:
    assert walls(GAP - MINUTE, GAP + MINUTE) == [("01:59:00", "03:01:00")]


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
    length=st.timedeltas(timedelta(0), timedelta(hours=4)),
    share=st.floats(0, 1),
    near=st.sampled_from([None, FOLD, GAP]),
)
def test_whatever_the_window_a_call_that_started_in_it_is_asked_for(start: datetime, length: timedelta, share: float, near: datetime | None) -> None:
    first = start.replace(tzinfo=UTC) if near is None else near - length * share
    asked = windows(first, first + length, BERLIN)
    wall = (first + length * (1 - share)).astimezone(BERLIN).replace(tzinfo=None, fold=0)
    assert any(each.wall_start <= wall <= each.wall_end for each in asked)
    assert all(each.wall_start <= each.wall_end for each in asked)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T13:00:00",
        "2026-11-22 13:00:00.000",
        "2026-11-22T13:00:00+01:00",
        "2026-11-22T12:00:00Z",
        "22/11/26 13:00:00",
        "22/11/2026 13:00:00",
    ],
)
def test_a_time_is_read_in_every_way_a_recorder_writes_it(text: str) -> None:
    started, ended = span(text, text, "", BERLIN, window(NOON))
    assert started == ended == NOON
    assert started.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90.5", 90.5), ("0:01:30", 90), ("1:00:00", 3600), ("01:30", 90), ("0", 0)])
def test_a_duration_is_seconds_or_hours_minutes_seconds(text: str, seconds: float) -> None:
    started, ended = span("2026-11-22T12:00:00Z", "", text, BERLIN, window(NOON))
    assert ended == started + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("started", "ended", "duration", "reason"),
    [
        ("", "", "", "its start is not a time"),
        ("yesterday", "", "", "its start is not a time"),
        ("31/02/26 10:00:00", "", "", "its start is not a time"),
        ("0001-01-01T00:00:00", "", "", "its start is not a time"),
        ("2026-11-22", "", "", "its start is not a time"),
        ("2026-11-22T12:00:00Z", "soon", "", "its end is not a time"),
        ("2026-11-22T12:00:00Z", "", "long", "its duration is not one"),
        ("2026-11-22T12:00:00Z", "", "-5", "its duration is not one"),
        ("2026-11-22T12:00:00Z", "", "nan", "its duration is not one"),
        ("2026-11-22T12:00:00Z", "", "1:2:3:4:", "its duration is not one"),
        ("2026-11-22T12:00:00Z", "2026-11-22T11:59:00Z", "", "it ends before it starts"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_text(started: str, ended: str, duration: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        span(started, ended, duration, BERLIN, window(NOON))


def test_no_end_and_no_duration_is_a_call_in_progress() -> None:
    assert span("2026-11-22T12:00:00Z", "", "", BERLIN, window(NOON))[1] is None


def test_a_duration_stands_in_for_an_end_before_the_start() -> None:
    started, ended = span("2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z", "60", BERLIN, window(NOON))
    assert ended == started + MINUTE


class TestInTheRepeatedHour:
    """02:00 to 03:00 happens twice; which one is meant is told by what else is known."""

    def test_the_searched_window_tells(self) -> None:
        first, _ = span("2026-10-25T02:30:10", "", "30", BERLIN, window(FOLD - 30 * MINUTE))
        second, _ = span("2026-10-25T02:30:10", "", "30", BERLIN, window(FOLD + 30 * MINUTE))
        assert (first, second) == (FOLD - 30 * MINUTE + MINUTE / 6, FOLD + 30 * MINUTE + MINUTE / 6)

    def test_the_duration_to_an_end_after_the_hour_tells_against_the_window(self) -> None:
        started, ended = span("2026-10-25T02:30:00", "2026-10-25T03:05:00", "35:00", BERLIN, window(FOLD - 31 * MINUTE))
        assert (started, ended) == (FOLD + 30 * MINUTE, FOLD + 65 * MINUTE)

    def test_an_end_that_looks_earlier_lies_in_the_second_pass(self) -> None:
        started, ended = span("25/10/26 02:59:00", "25/10/26 02:01:00", "", BERLIN, window(FOLD - MINUTE))
        assert (started, ended) == (FOLD - MINUTE, FOLD + MINUTE)

    def test_without_a_hint_it_is_the_earlier(self) -> None:
        started, _ = span("2026-10-25T02:30:00", "", "30", BERLIN, window(NOON))
        assert started == FOLD - 30 * MINUTE

    def test_lengths_are_true_across_it(self) -> None:
        started, ended = span("2026-10-25T02:59:00", "", "120", BERLIN, window(FOLD - MINUTE))
        assert ended is not None
        assert ended - started == 2 * MINUTE
        assert ended == FOLD + MINUTE


def test_a_time_in_the_gap_is_that_of_a_clock_not_yet_put_forward() -> None:
    started, _ = span("2026-03-29T02:30:00", "", "30", BERLIN, window(GAP))
    assert started == GAP + 30 * MINUTE
