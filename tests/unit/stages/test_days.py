"""Days of a report and as many before them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from voc_stream.stages.days import Days


def test_today_is_the_last_of_so_many_days_and_the_time_before_is_as_long() -> None:
    days = Days(7, date(2026, 3, 3))
    assert days.first == date(2026, 2, 25)
    assert days.each()[0] == days.first
    assert days.each()[-1] == days.last
    assert len(days.each()) == 7
    assert (days.before, days.since, days.until) == tuple(datetime(2026, month, day, tzinfo=UTC) for month, day in ((2, 18), (2, 25), (3, 4)))


def test_days_begin_where_the_reader_is_also_when_its_clocks_change() -> None:
    """Berlin's 29 March 2026 has 23 hours."""
    days = Days(2, date(2026, 3, 30), ZoneInfo("Europe/Berlin"))
    assert days.since == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert days.until - days.since == timedelta(hours=47)
    assert days.before == days.since - timedelta(hours=48)
    assert days.begins(1) == [datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in ((27, 23), (28, 23), (29, 22))]
    assert days.each(1) == [date(2026, 3, day) for day in (28, 29, 30)]
