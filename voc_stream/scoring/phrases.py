"""Finding the phrases of the rubric in what was said, though the recogniser writes them a little differently each time.

A phrase is words; ``*`` stands for up to three words of any kind, ``<name>`` for one that is written with a capital letter, and
``a|b`` for either word. Case and punctuation do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from voc_stream.scoring.conversation import Speaker, Turn, Word

_ANY_WORDS = 3
_NOT_A_WORD = re.compile(r"[^a-z0-9']+")
_NOT_A_NAME = frozenset(("i", "i'm", "i'll", "i've", "i'd"))


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase as it was said."""

    quote: str
    start: float
    end: float
    speaker: Speaker


def find(phrases: Iterable[str], turns: Iterable[Turn]) -> Iterator[Found]:
    """Every place where one of the phrases is said, in order, none overlapping another."""
    patterns = [phrase.lower().split() for phrase in phrases]
    for turn in turns:
        words = [(word, _NOT_A_WORD.sub("", word.text.lower())) for word in turn.words]
        at = 0
        while at < len(words):
            end = max((_match(pattern, words, at) for pattern in patterns), default=0)
            if end > at:
                said = [word for word, _ in words[at:end]]
                yield Found(" ".join(word.text for word in said), said[0].start, said[-1].end, turn.speaker)
            at = max(end, at + 1)


def _match(pattern: list[str], words: list[tuple[Word, str]], at: int) -> int:
    """Index after the match that starts at ``at``; 0 if there is none."""
    if not pattern:
        return at
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        ends = (_match(rest, words, to) for to in range(at, min(at + _ANY_WORDS, len(words)) + 1))
        return next((end for end in ends if end), 0)
    if at >= len(words) or not _same(head, *words[at]):
        return 0
    return _match(rest, words, at + 1)


def _same(expected: str, word: Word, plain: str) -> bool:
    if expected == "<name>":
        return word.text[:1].isupper() and plain not in _NOT_A_NAME
    return plain in expected.split("|")
