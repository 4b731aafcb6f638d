"""Days of a report and as many before them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from voc_stream.stages.days import Days


def test_today_is_the_last_of_so_many_days_and_the_time_before_is_as_long() -> None:
    days = Days(7, date(2026, 3, 3))
    assert days.first == date(2026, 2, 25)
    assert days.each()[0] == days.first
    assert days.each()[-1] == days.last
    assert len(days.each()) == 7
    assert (days.before, days.since, days.until) == tuple(datetime(2026, month, day, tzinfo=UTC) for month, day in ((2, 18), (2, 25), (3, 4)))
