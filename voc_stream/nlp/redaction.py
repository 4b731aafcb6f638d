"""Personal data in texts, each replaced by a mark that says what was there, such as `[card]` (docs/privacy.md).

A function of the text alone, and of the names that the caller knows to belong to it. What reads as an order number, a price, a date or a time stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from voc_stream.nlp.redaction_names import NOBODY, Names
from voc_stream.nlp.redaction_numbers import Numbers
from voc_stream.nlp.redaction_spoken import spoken_numbers

__all__ = ["EMAIL", "MARKS", "NOBODY", "Names", "Redactor", "Span"]

EMAIL = "email"
MARKS = ("card", "id", "phone", EMAIL, "name", "number")

Span = tuple[int, int, str]
"""Where in the text (start, end), and which of `MARKS`."""

_WRITTEN_EMAIL = re.compile(r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_WORD = r"[\w-]{1,64}"
_DOT = r"\s+(?:dot|chấm)\s+"
_SPOKEN_EMAIL = re.compile(
    rf"(?<![\w]){_WORD}(?:(?:\.|{_DOT}|\s+(?:underscore|gạch dưới)\s+){_WORD}){{0,4}}\s+(?:at|a còng|a móc)\s+"
    rf"{_WORD}(?:{_DOT}|\.)(?:{_WORD}(?:{_DOT}|\.)){{0,3}}(?:com|net|org|edu|gov|io|co|vn|uk|de|fr|info|us)(?!\w)",
    re.IGNORECASE,
)
# Dates, times, prices and machine ids hold digits and are nobody's: they are taken out before numbers are looked for.
_PLAIN = re.compile(
    r"(?<!\w)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?!\w)"
    r"|(?<!\d)\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?!\d)"
    r"|(?<![\d.\-/])\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?![\d\-/]|\.\d)"
    r"|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)"
    r"|(?:[$€£¥₫]|\b(?:usd|vnd|eur|gbp))\s?\d[\d.,]*"
    r"|(?<![\d.,])[1-9]\d{0,2}(?:[.,]\d{3})+(?:[.,]\d{1,2})?(?![\d\-]|[.,]\d)"
    r"|(?<![\d.,])\d[\d.,]*\s?(?:dollars?|euros?|pounds|cents|usd|vnd|vnđ|đồng|đ\b|%|percent|phần trăm|triệu|nghìn|ngàn|tỷ)",
    re.IGNORECASE,
)
_BLANK = "\x00"


class Redactor:
    """Replaces personal data in texts.

    Args:
        regions: countries (ISO 3166) whose national telephone numbers are known; numbers with a `+` are known of all.
        national_ids: modules of python-stdnum (`us.ssn`), and `vn.cccd`, by which national ids are told.
    """

    def __init__(self, regions: Sequence[str] = ("US", "VN"), national_ids: Sequence[str] = ("us.ssn", "vn.cccd")) -> None:
        self._numbers = Numbers(tuple(regions), tuple(national_ids))

    def redact(self, text: str, names: Names = NOBODY) -> str:
        """Return the text with marks in place of personal data; the very same object where there is none.

        Args:
            text: of any length; a text whose letters are decomposed comes back composed (NFC) if anything is replaced.
            names: of the people who are known to be spoken of.
        """
        if not text.isascii():
            text = _composed(text)
        spans = self.spans(text, names)
        if not spans:
            return text
        parts, at = [], 0
        for start, end, mark in spans:
            parts += [text[at:start], f"[{mark}]"]
            at = end
        return "".join((*parts, text[at:]))

    def spans(self, text: str, names: Names = NOBODY) -> list[Span]:
        """Return where in a composed text (NFC) personal data is, in order and without overlap."""
        found: list[Span] = []
        left = text
        for finder in (_emails, self._digits, names.found_in):
            for start, end, mark in finder(left):
                found.append((start, end, mark))
                left = f"{left[:start]}{_BLANK * (end - start)}{left[end:]}"
        return sorted(found)

    def _digits(self, text: str) -> list[Span]:
        left = _PLAIN.sub(lambda plain: _BLANK * len(plain.group()), text)
        written = list(self._numbers.found_in(left))
        for start, end, _ in written:
            left = f"{left[:start]}{_BLANK * (end - start)}{left[end:]}"
        return [*written, *spoken_numbers(left, self._numbers)]


def _composed(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _emails(text: str) -> Iterator[Span]:
    if "@" in text:
        for found in _WRITTEN_EMAIL.finditer(text):
            yield (*found.span(), EMAIL)
    lower = text.lower()
    if (" at " in lower or " a còng " in lower or " a móc " in lower) and ("." in text or " dot " in lower or " chấm " in lower):
        for found in _SPOKEN_EMAIL.finditer(text):
            if "@" not in found.group():
                yield (*found.span(), EMAIL)
