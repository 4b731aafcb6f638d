"""Days of a report, and as many before them; days are UTC's and the last one is today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Days:
    """So many days up to one.

    Attributes:
        count: how many, from 1.
        last: today.
    """

    count: int
    last: date

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - timedelta(days=self.count - 1)

    @property
    def since(self) -> datetime:
        """When the first day begins."""
        return _begin(self.first)

    @property
    def before(self) -> datetime:
        """When the time before begins, which is as long."""
        return _begin(self.first - timedelta(days=self.count))

    @property
    def until(self) -> datetime:
        """When the last day ends."""
        return _begin(self.last + timedelta(days=1))

    def each(self) -> list[date]:
        """Return the days, oldest first."""
        return [self.first + timedelta(days=number) for number in range(self.count)]


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
