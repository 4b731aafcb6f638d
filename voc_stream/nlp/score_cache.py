"""Scores of a slow model, remembered by text (spec section 3)."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import OrderedDict


class ScoreCache:
    """Remembers the scores that were used last. For one thread.

    Args:
        model: names the model and its version; the scores of another are never found.
        limit: most scores kept; each takes about 150 bytes. No text is kept, only its digest.
    """

    def __init__(self, model: str, limit: int) -> None:
        self._model = model
        self._limit = limit
        self._scores: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        """How many scores are kept."""
        return len(self._scores)

    def key(self, text: str, language: str) -> bytes:
        """Return the digest of model, language and text: normalised (NFC), its white space made one."""
        normalised = " ".join(unicodedata.normalize("NFC", text).split())
        told = f"{self._model}\x00{language}\x00{normalised}"
        return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def get(self, key: bytes) -> float | None:
        """Return the score, if it is remembered."""
        score = self._scores.get(key)
        if score is not None:
            self._scores.move_to_end(key)
        return score

    def put(self, key: bytes, score: float) -> None:
        """Remember a score; the one that was not used for longest goes."""
        self._scores[key] = score
        self._scores.move_to_end(key)
        if len(self._scores) > self._limit:
            self._scores.popitem(last=False)
