"""The recorder's clock: local wall time with daylight saving, in both directions (spec section 2.1).

The recorder compares and writes wall-clock text. In the hour that a fold repeats, one text means two instants. Which one a segment means is told
by its end and its duration where these fit one only, else by the window that was searched, else it is the earlier (`fold=0`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from voc_stream.events.base import must_be_time

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")
_EUROPEAN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{2}|[0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})")
_SECOND = timedelta(seconds=1)
_SAME_LENGTH = timedelta(minutes=1)
_LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time to search: its instants in UTC, and the wall-clock times that the recorder is asked for (inclusive, whole seconds)."""

    start: datetime
    end: datetime
    wall_start: datetime
    wall_end: datetime

    def has(self, moment: datetime) -> bool:
        """Whether the instant lies in the window."""
        return self.start <= moment <= self.end


def windows(start: datetime, end: datetime, zone: tzinfo) -> tuple[Window, ...]:
    """Return the windows to ask the recorder for, so that no call that started from `start` to `end` (aware) is missed.

    One window, but for a fold in between: its wall clock would run backwards, so the time before the fold and the time after it are asked apart.
    """
    first = start.astimezone(UTC).replace(microsecond=0)
    last = end.astimezone(UTC).replace(microsecond=0)
    if last < end:
        last += _SECOND
    if _offset(first, zone) <= _offset(last, zone):
        return (Window(first, last, _wall(first, zone), _wall(last, zone)),)
    fold = _fold_between(first, last, zone)
    before = _offset(fold - _SECOND, zone)
    return (
        Window(first, fold, _wall(first, zone), fold.replace(tzinfo=None) + before),
        Window(fold, last, _wall(fold, zone), _wall(last, zone)),
    )


def span(started: str, ended: str, duration: str, zone: tzinfo, window: Window) -> tuple[datetime, datetime | None]:
    """Read when a segment started and ended, both with the recorder's offset at that instant; no end and no duration means in progress.

    Raises:
        ValueError: a time cannot be read; the message is a sentence for a person, without the text.
    """
    starts = _instants(started, "start", zone)
    length = _length(duration)
    if not ended:
        start = min(starts, key=lambda moment: (not window.has(moment), moment))
        return _local(start, zone), None if length is None else _local(start + length, zone)
    pairs = [(start, end) for start in starts for end in _instants(ended, "end", zone) if start <= end]
    if length is not None:
        pairs = _of_length(length, pairs) if pairs else [(start, start + length) for start in starts]
    if not pairs:
        msg = "it ends before it starts"
        raise ValueError(msg)
    start, end = min(pairs, key=lambda pair: (not window.has(pair[0]), *pair))
    return _local(start, zone), _local(end, zone)


def _of_length(length: timedelta, pairs: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Keep the pairs that fit the duration best; durations are rounded, folds are half an hour at least."""
    miss = [abs(end - start - length) for start, end in pairs]
    return [pair for pair, off in zip(pairs, miss, strict=True) if off - min(miss) < _SAME_LENGTH]


def _instants(text: str, what: str, zone: tzinfo) -> tuple[datetime, ...]:
    """Return the instants (UTC) that a text may mean, the earlier first: two in a repeated hour, else one."""
    try:
        moment = _read(text)
        if moment.tzinfo is not None:
            must_be_time(what, moment)
            return (moment.astimezone(UTC),)
        must_be_time(what, moment.replace(tzinfo=UTC))
        earlier, later = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        msg = f"its {what} is not a time"
        raise ValueError(msg) from None
    # In the gap of spring the order turns round: the clock that showed it had not been put forward, which fold=0 means.
    return (earlier, later) if earlier < later else (earlier,)


def _read(text: str) -> datetime:
    if _ISO.fullmatch(text):
        return datetime.fromisoformat(text)
    match = _EUROPEAN.fullmatch(text)
    if match is None:
        raise ValueError
    day, month, year, hour, minute, second = map(int, match.groups())
    return datetime(year if year > 99 else 2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - local until its zone is applied


def _length(text: str) -> timedelta | None:
    """Read a duration: seconds, or h:m:s."""
    if not text:
        return None
    try:
        hours, minutes, seconds = ["0", "0", *text.split(":")][-3:]
        length = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    except (ValueError, OverflowError):
        length = timedelta(-1)
    if not timedelta() <= length <= _LONGEST:
        msg = "its duration is not one"
        raise ValueError(msg)
    return length


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _local(moment: datetime, zone: tzinfo) -> datetime:
    """Return the instant with the zone's offset, fixed: differences of datetimes that share a zone with DST count wall clock, not time."""
    return moment.astimezone(timezone(_offset(moment, zone)))


def _fold_between(first: datetime, last: datetime, zone: tzinfo) -> datetime:
    """Return the first whole second (UTC) at which the later offset holds."""
    after = _offset(last, zone)
    while last - first > _SECOND:
        middle = first + timedelta(seconds=(last - first) // _SECOND // 2)
        first, last = (first, middle) if _offset(middle, zone) == after else (middle, last)
    return last
