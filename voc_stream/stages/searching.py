"""What a reader looks for in transcripts: words and "phrases in quotes", all of which must be there; and where in a text they are (docs/api.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

MOST_WORDS = 16
MOST_CHARACTERS = 200

# As ClickHouse's splitByNonAlpha: letters and digits, and all that is not ASCII.
_WORD = re.compile(r"[0-9A-Za-z\u0080-\U0010ffff]+")
_QUOTED = re.compile(r'"([^"]*)"')

# Characters of a text shown around the first of what was found.
_BEFORE, _LONGEST = 60, 240


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for, in small letters.

    Attributes:
        words: each of which must be there.
        phrases: words that must stand one after another, joined by spaces.
    """

    words: tuple[str, ...]
    phrases: tuple[str, ...] = ()

    @classmethod
    def for_(cls, text: str) -> Self:
        """Read what a reader wrote.

        Raises:
            ValueError: there is no word in it, or too much; the message is a sentence for the reader.
        """
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"look for {MOST_CHARACTERS} characters at most")
        words = tuple(dict.fromkeys(_words(text)))
        if not words:
            raise ValueError("look for at least one word: letters or digits")
        if len(words) > MOST_WORDS:
            raise ValueError(f"look for {MOST_WORDS} words at most")
        phrases = (" ".join(_words(quoted)) for quoted in _QUOTED.findall(text))
        return cls(words, tuple(dict.fromkeys(phrase for phrase in phrases if " " in phrase)))

    def is_in(self, text: str) -> bool:
        """Whether at least one of the words is in a text."""
        return any(word.group().lower() in self.words for word in _WORD.finditer(text))

    def parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """Yield a piece of a text around the first word that was looked for, in parts, each with whether it is such a word.

        Where the piece begins or ends within the text an ellipsis says so.
        """
        hits = [word.span() for word in _WORD.finditer(text) if word.group().lower() in self.words]
        start, end = _piece(text, hits[0][0] if hits else 0)
        shown = start
        if start:
            yield "…", False
        for first, last in hits:
            if last > end:
                break
            if first > shown:
                yield text[shown:first], False
            yield text[first:last], True
            shown = last
        if end > shown:
            yield text[shown:end], False
        if end < len(text):
            yield "…", False


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _piece(text: str, at: int) -> tuple[int, int]:
    if len(text) <= _LONGEST:
        return 0, len(text)
    start = max(0, at - _BEFORE)
    if start:
        start = text.rfind(" ", 0, start) + 1 or start
        start = start if at - start <= _LONGEST // 2 else at
    end = min(len(text), start + _LONGEST)
    if end < len(text):
        space = text.rfind(" ", at, end)
        end = space if space > at else end
    return start, end
