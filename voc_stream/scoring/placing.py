"""When each word was said: from the phrases of a window, whose times are rough, to words in the call's time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voc_stream.scoring.audio import RATE
from voc_stream.scoring.conversation import Word
from voc_stream.scoring.packing import Window

_SENTENCE_ENDS = (".", "!", "?")
# The model's times are a second off at worst; a sentence that ends this near to a pause of the call ended there.
_NEAR_WORDS = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A phrase of a window, in seconds of the window; where the model did not close it, its end is a guess."""

    start: float
    end: float
    text: str
    closed: bool = True


def place(segments: Iterable[Segment], window: Window) -> list[Word]:
    """Give each word its share of its phrase's time, by its letters, within one piece of the window."""
    words = [word for segment in segments for word in _spread(segment, window.samples / RATE)]
    homes = _homes(words, window)
    return [_in_piece(word, window, home) for word, home in zip(words, homes, strict=True)]


def _spread(segment: Segment, limit: float) -> list[Word]:
    texts = segment.text.split()
    start, end = min(segment.start, limit), min(segment.end, limit)
    letters = sum(len(text) + 1 for text in texts)
    placed: list[Word] = []
    for text in texts:
        until = start + max(end - start, 0.0) * (len(text) + 1) / letters
        letters -= len(text) + 1
        placed.append(Word(text, start, until))
        start = until
    return placed


def _homes(words: list[Word], window: Window) -> list[int]:
    """The piece of each word: by the word's middle, but sentences are kept whole where a pause is near their end."""
    starts: list[int] = []
    middles = [(word.start + word.end) / 2 * RATE for word in words]
    for piece in window.pieces[1:]:
        at = sum(middle < piece.at for middle in middles)
        near = range(max(1, at - _NEAR_WORDS), min(len(words), at + _NEAR_WORDS) + 1)
        ends = [index for index in near if words[index - 1].text.endswith(_SENTENCE_ENDS)]
        starts.append(max(min(ends, key=lambda index: abs(index - at), default=at), starts[-1] if starts else 0))
    return [sum(start <= index for start in starts) for index in range(len(words))]


def _in_piece(word: Word, window: Window, home: int) -> Word:
    piece = window.pieces[home]
    first, last = (min(max(piece.start + round(moment * RATE) - piece.at, piece.start), piece.end) / RATE for moment in (word.start, word.end))
    return Word(word.text, first, last)
