"""Numbers that are spoken digit by digit, in English and Vietnamese: "four one five double five" (docs/privacy.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

_ONES = {
    "zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "niner": "9",
    "không": "0", "một": "1", "mốt": "1", "hai": "2", "ba": "3", "bốn": "4", "tư": "4", "năm": "5", "lăm": "5", "sáu": "6", "bảy": "7", "bẩy": "7",
    "tám": "8", "chín": "9",
    "khong": "0", "mot": "1", "bon": "4", "nam": "5", "sau": "6", "bay": "7", "tam": "8", "chin": "9",
}  # fmt: skip
_TEENS = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17",
    "eighteen": "18", "nineteen": "19",
}  # fmt: skip
_TENS = {"twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8", "ninety": "9"}
_TIMES = {"double": 2, "triple": 3, "treble": 3}

_WORD = "|".join(sorted((*_ONES, *_TEENS, *_TENS, *_TIMES), key=len, reverse=True))
_GAP = r"[\s,.;:…\-\u2010-\u2015]{1,4}(?:(?:um|uh|erm|dash|hyphen|then|gạch|rồi|ừm)[\s,.\-]{1,4})?"
_RUN = re.compile(rf"(?<!\w)(?:{_WORD}|\d)(?:{_GAP}(?:{_WORD}|\d))+(?!\w)", re.IGNORECASE)
_TOKEN = re.compile(rf"(?<!\w)(?:{_WORD}|\d)(?!\w)", re.IGNORECASE)
_UNIT_AFTER = re.compile(
    r"\s*(?:hundred|thousand|million|dollars?|percent|degrees|days|minutes|times|o'clock|trăm|nghìn|ngàn|triệu|đồng|ngày|phút)", re.IGNORECASE
)

LEAST_DIGITS = 5
# Fewer are enough where the text before asks for them; more are needed where they are written as "1, 2, 3".
_LEAST_ASKED = 3
_LEAST_WRITTEN = 7
_BEFORE = 60


class Tells(Protocol):
    """What tells numbers apart."""

    def kind_of(self, raw: str, before: str) -> str | None:
        """Return what a number is."""


def spoken_numbers(text: str, numbers: Tells) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind of each run of spoken digits; a run of no known kind is a `number`, unless it is an order's or the like."""
    from voc_stream.nlp.redaction_numbers import NUMBER, is_asked_for, is_other

    last_end, dictating = -1, False
    for run in _RUN.finditer(text):
        start, end = run.span()
        digits = digits_of(run.group())
        before = text[max(0, start - _BEFORE) : start]
        kind = numbers.kind_of(digits, before)
        asked = (dictating and start - last_end < _BEFORE) or is_asked_for(before)
        dictating = False
        if kind is None and not _counts(run.group(), digits, asked=asked, after=text[end : end + 16]):
            continue
        if kind not in {"card", "id"} and is_other(before):
            continue
        last_end, dictating = end, True
        yield start, end, kind or NUMBER


def digits_of(words: str) -> str:
    """Return what is spoken as digits: "four one five double five" is 41555, "forty two" is 42."""
    digits, times, tens = "", 1, ""
    for found in _TOKEN.finditer(words):
        word = found.group().lower()
        if word in _TIMES:
            times = _TIMES[word]
            continue
        if tens and (word in _TENS or word in _TEENS or _ones(word) == "0"):
            digits, tens = f"{digits}{tens}0", ""
        if word in _TENS:
            tens = _TENS[word]
            continue
        digits += (tens + (_TEENS.get(word) or _ones(word))) * times
        times, tens = 1, ""
    return f"{digits}{tens}0" if tens else digits


def _ones(word: str) -> str:
    return word if word.isdigit() else _ONES.get(word, "")


def _counts(words: str, digits: str, *, asked: bool, after: str) -> bool:
    if _UNIT_AFTER.match(after):
        return False
    spoken = any(character.isalpha() for character in words)
    least = (_LEAST_ASKED if asked else LEAST_DIGITS) if spoken else _LEAST_WRITTEN
    return len(digits) >= least
