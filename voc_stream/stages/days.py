"""Days of a report, and as many before them; the last one is today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Days:
    """So many days up to one.

    Attributes:
        count: how many, from 1.
        last: today.
        zone: where days begin and end; one of 23 or 25 hours is a day, too.
    """

    count: int
    last: date
    zone: tzinfo = UTC

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - timedelta(days=self.count - 1)

    @property
    def since(self) -> datetime:
        """When the first day begins."""
        return self._begin(self.first)

    @property
    def before(self) -> datetime:
        """When the time before begins, which is as long."""
        return self._begin(self.first - timedelta(days=self.count))

    @property
    def until(self) -> datetime:
        """When the last day ends."""
        return self._begin(self.last + timedelta(days=1))

    def each(self, before: int = 0) -> list[date]:
        """Return the days, oldest first, with so many of those before them."""
        first = self.first - timedelta(days=before)
        return [first + timedelta(days=number) for number in range(before + self.count)]

    def begins(self, before: int = 0) -> list[datetime]:
        """Return when the days of `each` begin."""
        return [self._begin(day) for day in self.each(before)]

    def _begin(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)
