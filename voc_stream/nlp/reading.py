"""Text as arrays of word numbers, a whole window of texts at once.

Everything that reads English (feeling, language, topic) wants the same words of the same texts, and Python's price is by the step, not
by the letter. So a text is split once, each distinct piece between two spaces is read once and remembered as a number, and what
follows is arithmetic on arrays.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

UNKNOWN = 0
"""The number of a word that is not in the vocabulary."""
NO_WORD = 1
"""The number of a piece without a word, kept for its punctuation."""

_NUMBER_BITS = 20
_NUMBER = (1 << _NUMBER_BITS) - 1
_CAPITALS = 1 << 20
_SMALL = 1 << 21
_END = 1 << 22
_EXCLAMATIONS_AT = 23
_MOST_EXCLAMATIONS = 7

_PART = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*|[:;=][-^]?[()\[\]DPp/\\|]", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*$|;$")
_MARK = "\x00"
_BETWEEN = f" {_MARK} "
# Its code, below all others.
_AT_MARK = -(1 << 31)
_REMEMBERED_PIECES = 50_000
# What may follow a number, and one that is no known word.
_MARKS = ".,;:!?"
_SOME_NUMBER = "0000000"
_LONGEST_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Known words, small letters, by their number from 2 on; at most a million."""

    numbers: dict[str, int]

    @classmethod
    def of(cls, *sources: Iterable[str]) -> Vocabulary:
        """Number the words of all sources, in order of first appearance."""
        distinct = dict.fromkeys(word for source in sources for word in source)
        return cls({word: number for number, word in enumerate(distinct, start=NO_WORD + 1)})

    def __len__(self) -> int:
        """One more than the highest number: the length of an array indexed by numbers."""
        return len(self.numbers) + NO_WORD + 1

    def marks(self, words: Iterable[str]) -> Flags:
        """Return an array by number: whether the word is one of these."""
        marked = np.zeros(len(self), dtype=np.bool_)
        marked[[self.numbers[word] for word in words]] = True
        return marked


class Words:
    """The words of some texts, one after the other.

    Attributes:
        lengths: how many words each text has; the arrays below are as long as their sum.
    """

    def __init__(self, codes: Integers, lengths: Longs) -> None:
        self._codes = codes
        self.lengths = lengths

    @cached_property
    def numbers(self) -> npt.NDArray[np.int32]:
        """The words' numbers in the vocabulary."""
        return self._codes & _NUMBER

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """For each text, the place after its last word."""
        return np.cumsum(self.lengths)

    def ends_sentence(self) -> Flags:
        """Whether a sentence ends after the word."""
        ends: Flags = (self._codes & _END) != 0
        return ends

    def in_capitals(self, at: npt.NDArray[np.int64]) -> Flags:
        """Whether the words at these places are of two or more letters, all capital."""
        loud: Flags = (self._codes[at] & _CAPITALS) != 0
        return loud

    def has_small(self) -> Flags:
        """Whether the word has a small letter."""
        small: Flags = (self._codes & _SMALL) != 0
        return small

    def exclamations(self) -> npt.NDArray[np.int32]:
        """How many exclamation marks stand at the word, at most seven."""
        return self._codes >> _EXCLAMATIONS_AT

    def count(self, marked: Flags) -> npt.NDArray[np.int64]:
        """For each text, how many of its words are marked (an array by number)."""
        return self._per_text(marked[self.numbers])

    def count_spoken(self) -> npt.NDArray[np.int64]:
        """For each text, how many of its words are words, not punctuation by itself."""
        return self._per_text(self.numbers != NO_WORD)

    def _per_text(self, flags: Flags) -> npt.NDArray[np.int64]:
        sums = np.concatenate(([0], np.cumsum(flags)))
        counts: npt.NDArray[np.int64] = sums[self.ends] - sums[self.ends - self.lengths]
        return counts


class WordReader:
    """Turns texts into words. Safe in any number of threads; remembers a bounded number of distinct pieces.

    Args:
        vocabulary: the words that are told apart.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._pieces = _Pieces(vocabulary.numbers)

    def read(self, texts: Sequence[str]) -> Words:
        """Read texts; a line's end is a sentence's end."""
        if self._pieces.full:
            self._pieces = _Pieces(self.vocabulary.numbers)
        known = self._pieces
        # All at once, with something between two texts that no text holds.
        whole = _BETWEEN.join(text.replace(_MARK, " ") if _MARK in text else text for text in texts)
        pieces = (whole.replace("\n", " . ") if "\n" in whole else whole).split()
        codes: Integers = np.fromiter(map(known.__getitem__, pieces), np.int32, len(pieces))
        marks = np.flatnonzero(codes == _AT_MARK)
        ends = np.concatenate(([0], marks - np.arange(len(marks)), [len(codes) - len(marks)]))
        return _spread(codes[codes != _AT_MARK] if len(marks) else codes, ends[: len(texts) + 1], known.several)


def _spread(codes: Integers, ends: Longs, several: Mapping[int, array[int]]) -> Words:
    """Put the words of pieces that are none or several in their places.

    Args:
        codes: of each piece; negative for those.
        ends: how many pieces come before each text, and in all.
        several: by negative code, their words.
    """
    places = np.flatnonzero(codes < 0)
    if not len(places):
        return Words(codes, np.diff(ends))
    read = [several[code] for code in codes[places].tolist()]
    sizes = np.ones(len(codes) + 1, dtype=np.int64)
    sizes[0] = 0
    sizes[places + 1] = [len(words) for words in read]
    spread = np.repeat(codes, sizes[1:])
    spread[spread < 0] = np.concatenate([np.array(words, dtype=np.int32) for words in read])
    return Words(spread, np.diff(np.cumsum(sizes)[ends]))


class _Pieces(dict[str, int]):
    """What stands between two spaces → the code of its word; where it is no word or several, a negative number → the codes, in `several`."""

    def __init__(self, numbers: dict[str, int]) -> None:
        super().__init__()
        self._numbers = numbers
        self._next = count(-1, -1)
        self._held = 0
        self[_MARK] = _AT_MARK
        self.several: dict[int, array[int]] = {}

    @property
    def full(self) -> bool:
        """Whether the next texts are to begin anew; those of one reading are all remembered."""
        return len(self) + self._held >= _REMEMBERED_PIECES

    def __missing__(self, piece: str) -> int:
        digits = piece.rstrip(_MARKS)
        if digits.isdecimal() and digits.isascii() and digits not in self._numbers:
            # Numbers hardly come again, and all that nobody knows are one word: what is remembered is how they end.
            return self[f"{_SOME_NUMBER}{piece[len(digits) :]}"] if digits != _SOME_NUMBER else self._remembered(piece)
        return self._remembered(piece)

    def _remembered(self, piece: str) -> int:
        codes = self._read(piece.replace("\u2019", "'"))
        if len(codes) == 1:
            code = codes[0]
        else:
            code = next(self._next)
            self.several[code] = codes
            self._held += 1 + len(codes)
        if len(piece) <= _LONGEST_REMEMBERED:
            self[piece] = code
        return code

    def _read(self, piece: str) -> array[int]:
        number = self._numbers.get(piece)
        codes = array("i", [self._code(part) for part in _PART.findall(piece)] if number is None else [number | _SMALL])
        marks = min(piece.count("!"), _MOST_EXCLAMATIONS) << _EXCLAMATIONS_AT
        if _SENTENCE_END.search(piece):
            marks |= _END
        if marks:
            if not codes:
                codes.append(NO_WORD)
            codes[-1] |= marks
        return codes

    def _code(self, part: str) -> int:
        code = self._numbers.get(part.lower(), UNKNOWN)
        if not part.isupper():
            return code | _SMALL
        return code | _CAPITALS if len(part) > 1 else code
