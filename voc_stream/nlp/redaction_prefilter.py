"""Which of many JSON values may hold personal data: a few passes over all of their bytes at once, for nearly all of them hold none.

Whoever is suspected is looked at by `redaction_payload`, which takes ten to a hundred times as long. What is not suspected holds nothing that it
would find, but for what docs/privacy.md names.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat

# Ten digits, or nine with something between them, and what stands on both sides.
_LEAST_NUMERIC = 12
_LEAST_DIGITS = 9
# Five of the words one, two, six and ten, the spaces between them included, less a letter or two.
_LEAST_WORDY = 17
_NEEDLES = (b"@", b"ouble ", b'_name"')
_IN, _OUT = b"1", b"0"
# How most events begin; the decoder has found the id to be a UUID, and a look at its digits costs as much as one at all of the text.
_BEGINS = b'{"event_id":"'
_DASH, _DASH_AT, _AFTER_ID = ord("-"), len(_BEGINS) + 8, len(_BEGINS) + 36
_NUMBER = re.compile(rb"(?<![0-9A-Za-z])[0-9](?:[^0-9A-Za-z\"]{0,3}[0-9]){8,}(?!-?[0-9A-Za-z])")
_SPOKEN = re.compile(
    rb"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten)[ ,.-]+(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten)[ ,.-]+){2}",
    re.IGNORECASE,
)
_VIETNAMESE = ("không", "một", "hai", "ba", "bốn", "tư", "năm", "lăm", "sáu", "bảy", "bẩy", "tám", "chín")


def _class(members: str, *, beyond_ascii: bool = False) -> bytes:
    """Return a table for `bytes.translate` that tells the members of a class of bytes from all others."""
    inside = set(members.encode())
    return b"".join(_IN if code in inside or (beyond_ascii and code >= 0x80) else _OUT for code in range(256))


def _digit_words() -> dict[bytes, int]:
    written = [form for word in _VIETNAMESE for form in (word, word.capitalize(), word.upper())]
    forms = {f"{word}{end}" for word in written for end in ("", ",", ".")}
    escaped = {form.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00") for form in forms}
    return dict.fromkeys({*(form.encode() for form in forms), *escaped}, 1)


# Letters that occur in English digit words, and what stands between words.
_WORDY = _class("efghinorstuvwxzEFGHINORSTUVWXZ -.,")
# Digits, and what may stand between them or around a number.
_NUMERIC = _class('0123456789 -.,()/+"?!;\\', beyond_ascii=True)
_DIGIT_WORDS = _digit_words()
_DIGITS = tuple(b"%d" % digit for digit in range(10))
_THREE = b"\1\1\1"


def suspects(values: Sequence[bytes]) -> list[int]:
    """Return which of some JSON values may hold personal data, by their places, in order.

    Args:
        values: as they came, decoded without fault; several hundred at once cost least for each.
    """
    if not values:
        return []
    looked_at = [value[_AFTER_ID:] if value.startswith(_BEGINS) and value[_DASH_AT] == _DASH else value for value in values]
    joined = b"\n".join(looked_at)
    starts = [0, *accumulate([len(value) + 1 for value in looked_at[:-1]])]
    found = {bisect_right(starts, place) - 1 for place in _suspicious_places(joined)}
    if not joined.isascii():
        found.update(place for place, value in enumerate(values) if not value.isascii() and _holds_vietnamese(value))
    if b"\\" in joined and b"\\u" in joined:
        found.update(place for place, value in enumerate(values) if b"\\u" in value and _holds_vietnamese(value))
    return sorted(found)


def _suspicious_places(joined: bytes) -> Iterator[int]:
    for needle in _NEEDLES:
        at = joined.find(needle)
        while at >= 0:
            yield at
            at = joined.find(needle, at + 1)
    for start, end in _runs(joined, _WORDY, _LEAST_WORDY):
        if _SPOKEN.search(joined, start, end):
            yield start
    for start, end in _runs(joined, _NUMERIC, _LEAST_NUMERIC):
        if not _identifies(joined, start, end) and (found := _NUMBER.search(joined, start, end + 1)) and _is_long(found.group()):
            yield start


def _identifies(joined: bytes, start: int, end: int) -> bool:
    """Whether a run of digits is an id: `"…_id":"123…"`, or in the midst of letters and nowhere near a space, as in a UUID."""
    return joined[start - 5 : start] == b'_id":' or (joined[start - 1 : start].isalnum() and b" " not in joined[start : end + 1])


def _runs(joined: bytes, members: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of at least so many bytes of a class."""
    classes, needle = joined.translate(members) + _OUT, _IN * least
    start = classes.find(needle)
    while start >= 0:
        end = classes.find(_OUT, start + least)
        yield start, end
        start = classes.find(needle, end + 1)


def _is_long(number: bytes) -> bool:
    digits = sum(map(number.count, _DIGITS))
    return digits > _LEAST_DIGITS or digits < len(number)


def _holds_vietnamese(value: bytes) -> bool:
    return _THREE in bytes(map(_DIGIT_WORDS.get, value.split(b" "), repeat(0)))
