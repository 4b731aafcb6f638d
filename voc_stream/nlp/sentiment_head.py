"""Feeling from sentence embeddings: a logistic head for the three feelings and a ridge one for the rating, on MiniLM and the lexicon's score."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

import numpy as np
from numpy.typing import NDArray

from voc_stream.nlp.sentiment_sources import HIGHEST_RATING

WEIGHTS = "sentiment_head.npz"
CUT = 0.1

_BOUNDS = np.array([[-1.0, -0.12], [-0.08, 0.08], [0.12, 1.0]])

Floats = NDArray[np.float64]


def features(embeddings: Floats, scores: Floats) -> Floats:
    """Return what the head reads: the embedding, the lexicon's score and its size, a row a sentence."""
    return np.hstack([embeddings, scores[:, None], np.abs(scores)[:, None]])


@dataclass(frozen=True, slots=True)
class SentimentHead:
    """The weights of both heads. Pure.

    Attributes:
        version: names the weights.
        weights: (features, 4): negative, neutral, positive, rating.
        bias: one a column.
    """

    version: str
    weights: Floats
    bias: Floats

    @classmethod
    def load(cls) -> Self:
        """Read the packaged weights."""
        with (files(__package__) / WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            return cls(about["version"], stored["weights"].astype(np.float64), stored["bias"].astype(np.float64))

    def scores(self, embeddings: Floats, lexicon: Floats) -> Floats:
        """Return the feeling of sentences, -1 to 1, given their embeddings and the lexicon's scores.

        It is how much likelier positive is than negative, averaged with the rating, and kept within the bounds of the likeliest feeling: so a cut
        at `CUT` tells the feeling.
        """
        told = features(embeddings, lexicon) @ self.weights + self.bias
        odds = np.exp(told[:, :3] - told[:, :3].max(axis=1, keepdims=True))
        likely = odds / odds.sum(axis=1, keepdims=True)
        scores = (likely[:, 2] - likely[:, 0] + told[:, 3] / HIGHEST_RATING) / 2
        bounds = _BOUNDS[likely.argmax(axis=1)]
        bounded: Floats = np.clip(scores, bounds[:, 0], bounds[:, 1])
        return bounded
