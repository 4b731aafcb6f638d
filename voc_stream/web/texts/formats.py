"""Numbers, times and spans as a reader writes them. What is not known (None) is an en dash everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any, TypeAlias

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format
from babel.numbers import format_decimal, format_percent
from jinja2 import pass_context
from jinja2.runtime import Context

NOTHING = "–"  # noqa: RUF001 - an en dash is meant

Number: TypeAlias = float | Decimal


@dataclass(frozen=True, slots=True)
class Formats:
    """How one reader writes numbers and times.

    Attributes:
        locale: their locale.
        zone: where they are.
    """

    locale: Locale
    zone: tzinfo

    def number(self, value: Number | None, decimals: int = 0) -> str:
        """1,234.5 with exactly so many decimals."""
        return NOTHING if value is None else format_decimal(value, _pattern(decimals), self.locale)

    def signed(self, value: Number | None, decimals: int = 0) -> str:
        """A change: +1.2 or -1.2; what rounds to nothing has no sign."""
        return NOTHING if value is None else format_decimal(value, _with_sign(_pattern(decimals), value, decimals), self.locale)

    def percent(self, share: Number | None, decimals: int = 0) -> str:
        """0.123 as 12%."""
        return NOTHING if share is None else format_percent(share, self._percent(decimals), self.locale)

    def signed_percent(self, share: Number | None, decimals: int = 0) -> str:
        """A change of a share: +12%."""
        return NOTHING if share is None else format_percent(share, _with_sign(self._percent(decimals), share, decimals + 2), self.locale)

    def moment(self, at: datetime | None) -> str:
        """Day and time to the minute, where the reader is."""
        if at is None:
            return NOTHING
        clock = format_time(self._there(at), "short", locale=self.locale)
        return str(get_datetime_format("medium", self.locale)).replace("{0}", clock).replace("{1}", self.day(at))

    def day(self, at: datetime | date | None) -> str:
        """The day; of a moment, where the reader is."""
        if at is None:
            return NOTHING
        return format_date(self._there(at) if isinstance(at, datetime) else at, "medium", self.locale)

    def clock(self, at: datetime | None) -> str:
        """The time of day to the second, where the reader is."""
        return NOTHING if at is None else format_time(self._there(at), "medium", locale=self.locale)

    def ago(self, at: datetime | None, now: datetime | None = None) -> str:
        """How long ago, in the largest unit: 5 minutes ago."""
        if at is None:
            return NOTHING
        return format_timedelta(_aware(at) - (now or datetime.now(UTC)), add_direction=True, threshold=1.2, locale=self.locale)

    def span(self, seconds: Number | None) -> str:
        """A length: 1:05, or 2:03:04. The same in all locales."""
        if seconds is None:
            return NOTHING
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

    def duration(self, seconds: Number | None) -> str:
        """A length in words, in the largest unit: 3 minutes."""
        return NOTHING if seconds is None else format_timedelta(round(seconds), threshold=1.5, locale=self.locale)

    def _there(self, at: datetime) -> datetime:
        return _aware(at).astimezone(self.zone)

    def _percent(self, decimals: int) -> str:
        return str(self.locale.percent_formats[None].pattern).replace("#,##0", _pattern(decimals))


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _pattern(decimals: int) -> str:
    return "#,##0" + ("." + "0" * decimals if decimals else "")


def _with_sign(pattern: str, value: Number, decimals: int) -> str:
    return f"+{pattern};-{pattern}" if round(value, decimals) else f"{pattern};{pattern}"


def _filter(name: str) -> Callable[..., str]:
    @pass_context
    def shown(context: Context, value: Any, *wishes: Any) -> str:
        return str(getattr(context["texts"], name)(value, *wishes))

    return shown


FILTERS = {name: _filter(name) for name in ("number", "signed", "percent", "signed_percent", "moment", "day", "clock", "ago", "span", "duration")}
