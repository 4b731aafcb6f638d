"""How far a model agrees with people: confusion, accuracy, macro F1, correlation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

NEGATIVE, NEUTRAL, POSITIVE = FEELINGS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Agreement:
    """What was said against what is true.

    Attributes:
        labels: every label, in the order of tables.
        counts: truth, said → how often.
    """

    labels: tuple[str, ...]
    counts: dict[tuple[str, str], int]

    @classmethod
    def of(cls, labels: Sequence[str], truths: Sequence[str], said: Sequence[str]) -> Agreement:
        """Count; the sequences are of equal length."""
        counts: dict[tuple[str, str], int] = {}
        for pair in zip(truths, said, strict=True):
            counts[pair] = counts.get(pair, 0) + 1
        return cls(tuple(labels), counts)

    @cached_property
    def total(self) -> int:
        """How many texts."""
        return sum(self.counts.values())

    @property
    def accuracy(self) -> float:
        """The share that was said rightly; 0 of none."""
        return sum(self.counts.get((label, label), 0) for label in self.labels) / max(self.total, 1)

    @property
    def macro_f1(self) -> float:
        """The mean of F1 over the labels that occur, in truth or in what was said; 0 of none."""
        scores = []
        for label in self.labels:
            true = sum(count for (truth, _), count in self.counts.items() if truth == label)
            said = sum(count for (_, told), count in self.counts.items() if told == label)
            if true or said:
                scores.append(2 * self.counts.get((label, label), 0) / (true + said))
        return statistics.fmean(scores) if scores else 0.0


def feeling(value: float, negative_below: float, positive_above: float) -> str:
    """Return which of `FEELINGS` a rating or a score is, given its cuts."""
    return NEGATIVE if value < negative_below else POSITIVE if value > positive_above else NEUTRAL


def pearson(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the correlation of two sequences; 0 where there is none to tell: fewer than two, or one that is constant."""
    if len(first) < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return 0.0
    return statistics.correlation(first, second)
