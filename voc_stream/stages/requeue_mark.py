"""The mark of a dead letter that was sent back to its topic: the header `voc-requeue`, by which a further failure is known as the same one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

HEADER = "voc-requeue"

# Kafka allows a header without a value.
Headers: TypeAlias = tuple[tuple[str, Any], ...]

# Within PostgreSQL's bigint and integer, whatever a stranger writes into the header.
_MARK = re.compile(rb"([1-9][0-9]{0,17})/([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class RequeueMark:
    """Which letter was sent back, and how often its record was by then.

    Attributes:
        letter_id: `dead_letter.id`.
        attempt: counted from 1, over all letters of the record.
    """

    letter_id: int
    attempt: int

    def added_to(self, headers: Iterable[tuple[str, Any]]) -> Headers:
        """Return a record's headers with this mark, in place of one that they had."""
        return (*unmarked(headers), (HEADER, b"%d/%d" % (self.letter_id, self.attempt)))


def mark_of(headers: Iterable[tuple[str, Any]]) -> RequeueMark | None:
    """Return the mark of a record that was sent back; None for any other, or where the header is not one of ours."""
    found = [match for name, value in headers if name == HEADER and (match := _MARK.fullmatch(value or b""))]
    return RequeueMark(int(found[-1][1]), int(found[-1][2])) if found else None


def unmarked(headers: Iterable[tuple[str, Any]]) -> Headers:
    """Return a record's headers as they were before it was ever sent back."""
    return tuple((name, value) for name, value in headers if name != HEADER)
