"""The topic head: TF-IDF over words and word pairs, multinomial logistic regression; numpy alone, a batch of texts at a time.

The sums are linear in the words (a text's length is the root of its words' squared weights, each occurrence counted), so that a batch is one
gather and one sum; `train_topics` fits the same formula.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from voc_stream.nlp.reading import Vocabulary, Words

WEIGHTS = "topics.npz"

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Pair = tuple[str, str]

# The array of pairs has four places for each, and a row of it that meets another is tried so much further on.
_ROOM, _STRIDE = 4, 7919


class Judged(NamedTuple):
    """What the head makes of a batch of texts.

    Attributes:
        probabilities: (texts, classes), each row sums to 1.
        known: how many words and pairs of each text the head knows.
        marks: (texts, marks), the sums over each text of the marks that the head was made with.
    """

    probabilities: Floats
    known: Floats
    marks: Floats


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """What a weights file holds.

    Attributes:
        version: names the weights.
        classes: the topics, in the order of the columns.
        grams: words, then pairs, in the order of the rows.
        idf: one a gram.
        weights: (grams, classes).
        bias: one a class.
    """

    version: str
    classes: tuple[str, ...]
    grams: tuple[str | Pair, ...]
    idf: Floats
    weights: Floats
    bias: Floats

    @classmethod
    def load(cls) -> Self:
        """Read the packaged weights."""
        with (files(__package__) / WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return cls.of({name: stored[name] for name in stored.files})

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make sense of the arrays that `train_topics.train` returns."""
        about = json.loads(arrays["about"].tobytes())
        words = arrays["words"].tobytes().decode().split("\n")
        pairs = [(words[first], words[second]) for first, second in arrays["pairs"]]
        floats = (arrays[name].astype(np.float32) for name in ("idf", "weights", "bias"))
        return cls(about["version"], tuple(about["classes"]), (*words, *pairs), *floats)

    @property
    def words(self) -> list[str]:
        """The words that a reader's vocabulary must hold."""
        return [gram for gram in self.grams if isinstance(gram, str)]


class TopicHead:
    """Judges texts that were read with one vocabulary. Pure; safe in any number of threads.

    Args:
        weights: the packaged ones.
        vocabulary: holds the words of the weights and of the marks.
        marks: each maps words and pairs to a number to be summed over a text, beside the topics.
    """

    def __init__(self, weights: HeadWeights, vocabulary: Vocabulary, marks: Sequence[Mapping[str | Pair, float]] = ()) -> None:
        self.classes = weights.classes
        self._bias = weights.bias
        number = vocabulary.numbers
        # Words lie in the table at their numbers, pairs behind them; rows of zeros for what nobody asked for.
        grams = dict.fromkeys(gram for grams in (weights.grams, *marks) for gram in grams)
        pairs = {
            (number[gram[0]], number[gram[1]]): len(vocabulary) + at for at, gram in enumerate(gram for gram in grams if isinstance(gram, tuple))
        }
        self._offsets, self._owners, self._rows = _displaced(pairs, len(vocabulary))

        def place(gram: str | Pair) -> int:
            return number[gram] if isinstance(gram, str) else pairs[number[gram[0]], number[gram[1]]]

        columns = len(self.classes)
        self._table = np.zeros((len(vocabulary) + len(pairs), columns + 2 + len(marks)), np.float32)
        idf = weights.idf[:, None]
        self._table[[place(gram) for gram in weights.grams], : columns + 2] = np.hstack([idf * weights.weights, idf * idf, np.ones_like(idf)])
        for column, mark in enumerate(marks, start=columns + 2):
            for gram, value in mark.items():
                self._table[place(gram), column] = value
        self._tells = self._table.any(axis=1)

    def judge(self, words: Words) -> Judged:
        """Judge texts: a batch costs little more than one."""
        sums = self._sums(words)
        columns = len(self.classes)
        logits = sums[:, :columns] / np.sqrt(np.maximum(sums[:, columns : columns + 1], 1e-9)) + self._bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Judged(odds / odds.sum(axis=1, keepdims=True), sums[:, columns + 1], sums[:, columns + 2 :])

    def _sums(self, words: Words) -> Floats:
        places = self._places(words)
        # Most words and pairs say nothing: their rows are zeros.
        telling = np.flatnonzero(self._tells.take(places))
        first, last = np.searchsorted(telling, (2 * (words.ends - words.lengths), 2 * words.ends))
        told = last > first
        sums = np.zeros((len(told), self._table.shape[1]), np.float32)
        if told.any():
            sums[told] = np.add.reduceat(self._table.take(places[telling], axis=0), first[told], axis=0)
        return sums

    def _places(self, words: Words) -> Integers:
        """Return, for each word, its row and that of the pair it begins."""
        numbers = words.numbers
        places = np.zeros((len(numbers), 2), np.int32)
        places[:, 0] = numbers
        slots = self._offsets.take(numbers[:-1]) + numbers[1:]
        places[:-1, 1] = self._rows.take(slots) * (self._owners.take(slots) == numbers[:-1])
        places[words.ends[words.lengths > 0] - 1, 1] = 0  # a text's last word begins none
        return places.reshape(-1)


def _displaced(pairs: Mapping[tuple[int, int], int], words: int) -> tuple[Integers, Integers, Integers]:
    """Lay the sparse matrix (first word, second word) → row into one array, its rows shifted so that no two entries meet.

    Returns:
        The shift of each first word; and by slot (shift + second word) the first word that it belongs to, and the row.
    """
    seconds: dict[int, list[int]] = {}
    for first, second in pairs:
        seconds.setdefault(first, []).append(second)
    span = _ROOM * len(pairs) + 1
    offsets = np.zeros(words, np.int32)
    owners = np.zeros(span + words, np.int32)
    rows = np.zeros_like(owners)
    offset = 0
    # The largest first, while there is most room.
    for first, row in sorted(seconds.items(), key=lambda item: (-len(item[1]), item[0])):
        places = np.array(row)
        while owners[places + offset].any():
            offset = (offset + _STRIDE) % span
        owners[places + offset] = first
        rows[places + offset] = [pairs[first, second] for second in row]
        offsets[first] = offset
    return offsets, owners, rows
