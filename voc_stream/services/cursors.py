"""Where the next page of a list begins, as a word that says nothing to its reader: the last row's place, bound to the question it was a page of.

It is neither secret nor signed: it holds what its reader has seen, and the tenant never comes from it. One that was altered is refused, or begins
elsewhere in the same reader's list.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TypeVar

import msgspec

_MOST_LENGTH = 256

Place = TypeVar("Place")


class CursorError(ValueError):
    """It is no cursor of this list, or of another question; the message is a sentence for the reader."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one of this list: leave it out to begin at the first page")


def cursor_of(place: object, question: object) -> str:
    """Return a cursor.

    Args:
        place: the last row's, of what msgpack can hold.
        question: what the list answers, without the cursor and the page's size.
    """
    packed = msgspec.msgpack.encode((_digest(question), place))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def place_of(cursor: str, question: object, kind: type[Place]) -> Place:
    """Return the place that a cursor holds.

    Args:
        cursor: of `cursor_of`.
        question: the same as then.
        kind: of the place.

    Raises:
        CursorError: it holds no such place, or is of another question.
    """
    if len(cursor) > _MOST_LENGTH or not cursor.isascii():
        raise CursorError
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, place = msgspec.msgpack.decode(packed, type=tuple[bytes, kind])  # type: ignore[valid-type]
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError):
        raise CursorError from None
    if digest != _digest(question):
        raise CursorError
    found: Place = place
    return found


def _digest(question: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(question)).digest()[:6]
