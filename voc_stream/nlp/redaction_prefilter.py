"""Which of many JSON values may hold personal data: a few passes over all of their bytes at once, for nearly all of them hold none.

Whoever is suspected is looked at by `redaction_payload`, which takes ten to a hundred times as long. What is not suspected holds nothing that it
would find, but for what docs/privacy.md names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

# Ten digits, or nine with something between them, and what stands on both sides.
_LEAST_NUMERIC = 12
_LEAST_DIGITS = 9
# Five of the words one, two, six and ten, the spaces between them included, less a letter or two.
_LEAST_WORDY = 17
_NEEDLES = (b"ouble ", b'_name"')
_LEAST_LITERAL = 6
# So far the arithmetic below looks beyond a byte.
_PADDING = b"\n" * 64
# How most events begin; the decoder has found the id to be a UUID: its digits are nobody's number.
_BEGINS = b'{"event_id":"'
_AFTER_ID = len(_BEGINS) + 37
_DASH_AT = len(_BEGINS) + 8
# The same as numbers of eight and of five bytes, the first one lowest; and what stands before other ids.
_HEAD, _ID, _DASH, _ID_BEFORE = (np.uint64(int.from_bytes(text, "little")) for text in (b'{"event_', b'id":"', b"-", b'_id":'))
_FIVE, _ONE = np.uint64((1 << 40) - 1), np.uint64(0xFF)
_NUMBER = re.compile(rb"(?<![0-9A-Za-z])[0-9](?:[^0-9A-Za-z\"]{0,3}[0-9]){8,}(?!-?[0-9A-Za-z])")
_SPOKEN = re.compile(
    rb"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten)[ ,.-]+(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten)[ ,.-]+){2}",
    re.IGNORECASE,
)
_VIETNAMESE = ("không", "một", "hai", "ba", "bốn", "tư", "năm", "lăm", "sáu", "bảy", "bẩy", "tám", "chín")

Places = NDArray[np.intp]
_NOWHERE: Places = np.zeros(0, np.intp)

# One bit for each class of bytes. Letters that occur in English digit words, and what stands between words:
_WORDY, _WORDY_BYTES = 1, b"efghinorstuvwxzEFGHINORSTUVWXZ -.,"
# digits, and what may stand between them or around a number:
_NUMERIC, _NUMERIC_BYTES = 2, b'0123456789 -.,()/+"?!;\\' + bytes(range(0x80, 0x100))
# and the letters of each literal that is looked for.
_LITERALS = (4, 8)
_LITERAL = sum(_LITERALS)
_WORD = 8
_CLASSES = bytes(
    (code in _WORDY_BYTES) * _WORDY
    | (code in _NUMERIC_BYTES) * _NUMERIC
    | sum((code in needle) * bit for bit, needle in zip(_LITERALS, _NEEDLES, strict=True))
    for code in range(256)
)


def _digit_words() -> dict[bytes, int]:
    written = [form for word in _VIETNAMESE for form in (word, word.capitalize(), word.upper())]
    forms = {f"{word}{end}" for word in written for end in ("", ",", ".")}
    escaped = {form.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00") for form in forms}
    return dict.fromkeys({*(form.encode() for form in forms), *escaped}, 1)


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
    joined = b"\n".join((*values, _PADDING))
    starts = np.zeros(len(values), np.intp)
    starts[1:] = np.cumsum(np.fromiter(map(len, values[:-1]), np.intp, len(values) - 1) + 1)
    places = [*_suspicious(joined, starts)]
    found = set((np.searchsorted(starts, places, side="right") - 1).tolist())
    if not joined.isascii():
        found.update(place for place, value in enumerate(values) if not value.isascii() and _holds_vietnamese(value))
    if b"\\" in joined and b"\\u" in joined:
        found.update(place for place, value in enumerate(values) if b"\\u" in value and _holds_vietnamese(value))
    return sorted(found)


def _suspicious(joined: bytes, starts: Places) -> Iterator[int]:
    """Yield places in values that follow each other, each beginning at one of `starts`."""
    at = joined.find(b"@")
    while at >= 0:
        yield at
        at = joined.find(b"@", at + 1)
    runs = _Runs(joined)
    for needle, bit in zip(_NEEDLES, _LITERALS, strict=True):
        for start, end in zip(*runs.of(bit, _LEAST_LITERAL), strict=True):
            if joined.find(needle, start, end) >= 0:
                yield start
    for start, end in zip(*runs.of(_WORDY, _LEAST_WORDY), strict=True):
        if _SPOKEN.search(joined, start, end):
            yield start
    for start, end in zip(*_anonymous(joined, starts, *runs.of(_NUMERIC, _LEAST_NUMERIC)), strict=True):
        if not _within_word(joined, start, end) and (found := _NUMBER.search(joined, start, end + 1)) and _is_long(found.group()):
            yield start


class _Runs:
    """Where enough bytes of a class follow each other: what each byte is, then two, four, eight of them, in a handful of passes over all."""

    def __init__(self, joined: bytes) -> None:
        one = np.frombuffer(joined.translate(_CLASSES), np.uint8)
        two = one[:-1] & one[1:]
        four = two[:-2] & two[2:]
        eight = four[:-4] & four[4:]
        twelve = eight[:-4] & four[8:]
        seventeen = twelve[:-5] & twelve[5:]
        # Here begin so many of its class, a bit each; in words of eight bytes, because nearly all are 0.
        begin = np.zeros(-(-len(seventeen) // _WORD) * _WORD, np.uint8)
        left = begin[: len(seventeen)]
        np.bitwise_or(seventeen, _NUMERIC, out=left)
        left &= twelve[: len(left)]
        left |= four[: len(left)] & two[4 : 4 + len(left)] & _LITERAL
        words = np.flatnonzero(begin.view(np.uint64) != 0)
        bits = begin.reshape(-1, _WORD)[words].ravel()
        among = np.flatnonzero(bits != 0)
        self._at = words[among // _WORD] * _WORD + among % _WORD
        self._bits = bits[among]
        self._there = int(np.bitwise_or.reduce(self._bits))

    def of(self, bit: int, least: int) -> tuple[Places, Places]:
        """Return starts and ends of a class's runs of at least so many bytes."""
        if not self._there & bit:
            return _NOWHERE, _NOWHERE
        at = self._at[(self._bits & bit) != 0]
        apart = np.flatnonzero(np.diff(at) != 1)
        return at[np.concatenate(([0], apart + 1))[: len(at)]], at[np.concatenate((apart, [-1]))[: len(at)]] + least


def _anonymous(joined: bytes, starts: Places, begin: Places, end: Places) -> tuple[list[int], list[int]]:
    """Leave out runs of digits that are an id: the event's own, at the beginning of its value, and what follows `…_id":`."""
    eights = np.ndarray(len(joined) - 7, "<u8", joined, strides=(1,))
    value = starts[np.searchsorted(starts, begin, side="right") - 1]
    near = np.flatnonzero(begin - value < _AFTER_ID)
    at = value[near]
    own = (eights[at] == _HEAD) & (eights[at + 8] & _FIVE == _ID) & (eights[at + _DASH_AT] & _ONE == _DASH)
    begin[near] = np.where(own, np.maximum(begin[near], at + _AFTER_ID), begin[near])
    left = (eights[np.maximum(begin, 5) - 5] & _FIVE != _ID_BEFORE) & (end - begin >= _LEAST_NUMERIC)
    return begin[left].tolist(), end[left].tolist()


def _within_word(joined: bytes, start: int, end: int) -> bool:
    """Whether a run of digits is in the midst of letters and nowhere near a space, as in a UUID."""
    return joined[start - 1 : start].isalnum() and b" " not in joined[start : end + 1]


def _is_long(number: bytes) -> bool:
    digits = sum(map(number.count, _DIGITS))
    return digits > _LEAST_DIGITS or digits < len(number)


def _holds_vietnamese(value: bytes) -> bool:
    return _THREE in bytes(map(_DIGIT_WORDS.get, value.split(b" "), repeat(0)))
