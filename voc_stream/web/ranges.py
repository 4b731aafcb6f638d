"""Which bytes a request is for (RFC 9110, section 14): one range at most."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A longer number is past the end of anything.
_ONE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `first` to `last`, both inclusive."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many."""
        return self.last - self.first + 1


class UnsatisfiableError(Exception):
    """None of the bytes that are asked for is there: 416."""


def asked_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range that is asked for; None: all of it, also where several ranges are asked for, or the header cannot be understood.

    Args:
        header: `Range`.
        size: bytes that there are.

    Raises:
        UnsatisfiableError: the range begins past the end.
    """
    found = _ONE.fullmatch(header) if header is not None else None
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        if int(suffix) == 0 or size == 0:
            raise UnsatisfiableError
        return ByteRange(max(0, size - int(suffix)), size - 1)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise UnsatisfiableError
    return ByteRange(int(first), min(int(last), size - 1) if last else size - 1)


def range_holds(if_range: str | None, etag: str) -> bool:
    """Whether a range may be answered: the condition `If-Range` is not there, or names this very object (a date never does)."""
    return if_range is None or if_range.strip() == etag


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` says that the caller has the object already."""
    if if_none_match is None:
        return False
    named = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in named or etag in named
