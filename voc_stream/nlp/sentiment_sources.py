"""The rated texts that feeling is learned from and measured by, and which of them are held back (see SOURCE-sentiment.md)."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FILE = "sentiment_hutto_part.csv"
# Beyond it, up or down, people call a text positive or negative.
RATING_CUT = 0.5
HIGHEST_RATING = 4.0
SENTENCES_BY_ITSELF = frozenset({"tweets", "movies"})

_HELD_BACK_ONE_IN = 5
_CALL_WORDS = 200


class Rated(NamedTuple):
    """A text and the mean rating of 20 people, -4 to 4."""

    source: str
    id: str
    rating: float
    text: str

    @property
    def held_back(self) -> bool:
        """Whether training must not see it: one in five; the sentences of one review or article fall on one side."""
        group = self.id if self.source in SENTENCES_BY_ITSELF else self.id.partition("_")[0]
        return hashlib.sha256(f"{self.source}:{group}".encode()).digest()[0] % _HELD_BACK_ONE_IN == 0


def read_rated(folder: Path) -> tuple[list[Rated], list[Rated]]:
    """Return the texts to train on and those held back; a held-back text that also occurs among the others is left out."""
    with (folder / FILE).open(encoding="utf-8", newline="") as file:
        rows = [Rated(row["source"], row["id"], float(row["rating"]), row["text"]) for row in csv.DictReader(file)]
    training = [row for row in rows if not row.held_back]
    seen = {row.text.lower() for row in training}
    return training, [row for row in rows if row.held_back and row.text.lower() not in seen]


def made_up_calls(rows: Sequence[Rated], count: int, seed: int) -> list[tuple[str, float]]:
    """Texts of 200 words and more, joined from rated ones, each with the mean of its ratings.

    A call has a mood: the share of glad sentences among its feeling ones, more often near all or none than between (Beta(1/2, 1/2)).
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible, no secret
    glad = [row for row in rows if row.rating > RATING_CUT]
    sad = [row for row in rows if row.rating < -RATING_CUT]
    calls = []
    for _ in range(count):
        mood = rng.betavariate(0.5, 0.5)
        parts: list[Rated] = []
        words = 0
        while words < _CALL_WORDS:
            parts.append(rng.choice(glad if rng.random() < mood else sad))
            words += len(parts[-1].text.split())
        text = " ".join(part.text if part.text.rstrip()[-1:] in ".!?" else f"{part.text}." for part in parts)
        calls.append((text, sum(part.rating for part in parts) / len(parts)))
    return calls
