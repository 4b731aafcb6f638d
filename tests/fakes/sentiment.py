"""The sentiment service in memory: the same answers as the HTTP client's, proven by tests/contract/test_sentiment.py."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fakes.faults import PlannedFaults


class FakeSentiment(PlannedFaults):
    """Scores a text by its glad and sad words: 1, -1 or 0.

    Attributes:
        asked: the batches that came, in order.
    """

    name = "remote"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def score(self, texts: Sequence[str]) -> list[float]:
        self.check("score")
        self.asked.append(list(texts))
        return [fake_score(text) for text in texts]

    async def probe(self) -> None:
        self.check("probe")


def fake_score(text: str) -> float:
    """Return the score that the fakes give."""
    return float(("great" in text) - ("awful" in text))
