"""The feeling of English text, -1 to 1, from VADER's lexicon (Hutto & Gilbert 2014, MIT).

A small scorer of our own over that lexicon: more accurate than the reference code on rated texts and many times faster, and averaged over
sentences, because the sum over a whole call saturates. docs/sentiment.md has the figures.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from voc_stream.nlp.reading import NO_WORD, Vocabulary, WordReader, Words

VERSION = "2"
"""Changes with every change that may change a score."""
LEARNED_WORDS = "sentiment_words.tsv"

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATIONS = _words(
    "not no never none nobody nothing neither nor nowhere without hardly barely scarcely cannot cant can't dont don't doesnt doesn't "
    "didnt didn't isnt isn't arent aren't wasnt wasn't werent weren't wont won't wouldnt wouldn't couldnt couldn't shouldnt shouldn't "
    "havent haven't hasnt hasn't hadnt hadn't aint ain't"
)
_BOOSTERS = _words(
    "absolutely amazingly awfully completely considerably deeply enormously entirely especially exceptionally extremely fully greatly "
    "highly hugely incredibly intensely more most particularly purely quite really remarkably so substantially thoroughly totally "
    "tremendously unbelievably unusually utterly very"
)
_DAMPENERS = _words("almost barely hardly kinda less little marginally occasionally partly scarcely slightly somewhat sorta")
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?;])\s+|(?<=[.!?;][\"')\]])\s+|\n+")
_BOOST = 0.293
_NEGATED = -0.74
_DISTANCE_DECAY = (1.0, 0.95, 0.9)
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_SHOUT = 0.292
_CAPITALS = 0.733
_COUNTED_EXCLAMATIONS = 4
_SATURATION = 15.0
_WEIGHT_UNFELT = 0.25


def load_lexicon() -> dict[str, float]:
    """Read word → valence (-4 to 4): VADER's, out of the installed ``vaderSentiment`` package, and the words that were learned besides.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("vaderSentiment")
    if spec is None or spec.origin is None:
        msg = "vaderSentiment (the sentiment lexicon) is not installed"
        raise ModuleNotFoundError(msg, name="vaderSentiment")
    vader = (Path(spec.origin).parent / "vader_lexicon.txt").read_text(encoding="utf-8")
    learned = (files(__package__) / LEARNED_WORDS).read_text(encoding="utf-8")
    rows = (line.split("\t") for text in (learned, vader) for line in text.splitlines() if line)
    return {row[0]: float(row[1]) for row in rows}


def known_words(lexicon: dict[str, float]) -> frozenset[str]:
    """Return the words that a vocabulary must hold for a scorer of this lexicon."""
    return _NEGATIONS | _BOOSTERS | _DAMPENERS | {"but"} | lexicon.keys()


class SentimentScorer:
    """Scores texts by a lexicon. Pure but for what its reader remembers; safe in any number of threads.

    Args:
        lexicon: word → valence, -4 to 4.
        reader: reads the texts; its vocabulary holds at least `known_words(lexicon)`.
    """

    def __init__(self, lexicon: dict[str, float], reader: WordReader) -> None:
        vocabulary = reader.vocabulary
        self._reader = reader
        self._valence = np.zeros(len(vocabulary))
        for word, valence in lexicon.items():
            self._valence[vocabulary.numbers[word]] = 0.0 if word in _BOOSTERS else valence
        self._negation = vocabulary.marks(_NEGATIONS)
        self._strength = _BOOST * (vocabulary.marks(_BOOSTERS).astype(np.float64) - vocabulary.marks(_DAMPENERS))
        self._but = vocabulary.numbers["but"]

    @classmethod
    def load(cls) -> Self:
        """Make a scorer with a reader of its own.

        Raises:
            ModuleNotFoundError: the package ``vaderSentiment`` is not installed.
        """
        lexicon = load_lexicon()
        return cls(lexicon, WordReader(Vocabulary.of(sorted(known_words(lexicon)))))

    def text(self, text: str) -> float:
        """The mean over the sentences of ``text``, -1 to 1, where one in which nothing is felt weighs a quarter; 0 for a text without words."""
        return float(self.texts([text])[0])

    def texts(self, texts: Sequence[str]) -> Floats:
        """The scores of many texts at once."""
        return self.read(self._reader.read(texts))

    def sentence(self, sentence: str) -> float:
        """Score ``sentence`` as one, whatever its punctuation: -1 to 1, 0 where no word of it is in the lexicon."""
        words = self._reader.read([sentence])
        return float(self._sentences(words, np.zeros(len(words.numbers), dtype=np.int64), 1)[0])

    def read(self, words: Words) -> Floats:
        """The scores of texts that were read by a reader of the same vocabulary."""
        closing = words.ends_sentence()
        closing[words.ends[words.lengths > 0] - 1] = True
        after = np.cumsum(closing)
        total = int(after[-1]) if len(after) else 0
        sentence: Places = after - closing
        scores = self._sentences(words, sentence, total)
        spoken = np.bincount(sentence[words.numbers != NO_WORD], minlength=total) > 0
        weights = np.where(scores == 0, np.where(spoken, _WEIGHT_UNFELT, 0.0), 1.0)
        owner = np.searchsorted(words.ends, np.flatnonzero(closing), side="right")
        texts = len(words.lengths)
        sums = np.bincount(owner, weights=scores, minlength=texts)
        return sums / np.maximum(np.bincount(owner, weights=weights, minlength=texts), _WEIGHT_UNFELT)

    def _sentences(self, words: Words, sentence: Places, total: int) -> Floats:
        """Score sentences.

        Args:
            words: the words of the texts.
            sentence: for each word, the number of its sentence.
            total: how many sentences there are.
        """
        felt = np.flatnonzero(self._valence[words.numbers])
        where = sentence[felt]
        valence = self._in_context(words, sentence, felt) * self._turned(words, sentence, felt, total)
        sums = np.bincount(where, weights=valence, minlength=total).astype(np.float64)
        marks = words.exclamations()
        marked = np.flatnonzero(marks)
        if len(marked):
            counts = np.bincount(sentence[marked], weights=marks[marked], minlength=total)
            sums = sums + np.sign(sums) * _SHOUT * np.minimum(counts, _COUNTED_EXCLAMATIONS)
        scores: Floats = sums / np.sqrt(sums * sums + _SATURATION)
        return scores

    def _in_context(self, words: Words, sentence: Places, felt: Places) -> Floats:
        """Return the valence of the words at ``felt``, given the three words before each, and its capitals."""
        valence = self._valence[words.numbers[felt]]
        strength = self._shouted(words, sentence, felt)
        factor = np.ones(len(felt))
        for distance, decay in enumerate(_DISTANCE_DECAY, start=1):
            before = np.maximum(felt - distance, 0)
            near = (felt >= distance) & (sentence[before] == sentence[felt])
            number = words.numbers[before]
            strength += near * decay * self._strength[number]
            factor[near & self._negation[number]] = _NEGATED
        return (valence + np.sign(valence) * strength) * factor

    def _shouted(self, words: Words, sentence: Places, felt: Places) -> Floats:
        """Return what capitals add to the words at ``felt``: nothing in a sentence without a small letter."""
        loud = words.in_capitals(felt)
        if loud.any():
            with_small = np.zeros(int(sentence[-1]) + 1, dtype=np.bool_)
            with_small[sentence[words.has_small()]] = True
            loud &= with_small[sentence[felt]]
        return np.where(loud, _CAPITALS, 0.0)

    def _turned(self, words: Words, sentence: Places, felt: Places, total: int) -> Floats:
        """Return the weights of the words at ``felt``: what comes before the first "but" of a sentence counts less than what comes after."""
        turns = np.flatnonzero(words.numbers == self._but)
        if not len(turns):
            return np.ones(len(felt))
        first = np.full(total, len(sentence))
        # Of several values for one place the last stays: hence backwards.
        first[sentence[turns[::-1]]] = turns[::-1]
        turn = first[sentence[felt]]
        return np.where(turn == len(sentence), 1.0, np.where(felt < turn, _BEFORE_BUT, _AFTER_BUT))


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, by its punctuation; empty ones left out."""
    return [part for part in (piece.strip() for piece in _BETWEEN_SENTENCES.split(text)) if part]
