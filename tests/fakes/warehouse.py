"""The warehouse in memory: the same rows as ClickHouse's, proven by tests/contract/test_warehouse.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voc_stream.errors import OutsideError
from voc_stream.events.calls import ScoringResult


@dataclass(slots=True)
class FakeWarehouse:
    """Holds results by their natural key.

    Attributes:
        fail_with: raised by every method while it is set.
        tokens: every token that came, in order, repeats too.
    """

    fail_with: OutsideError | None = None
    scores: dict[tuple[str, str], ScoringResult] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)

    async def insert_scores(self, results: Sequence[ScoringResult], token: str) -> None:
        await self.probe()
        if not results:
            return
        repeated = token in self.tokens
        self.tokens.append(token)
        if repeated:
            return
        for result in results:
            key = (result.call_id, result.model_version)
            known = self.scores.get(key)
            if known is None or known.scored_at <= result.scored_at:
                self.scores[key] = result

    async def probe(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with

    async def close(self) -> None:
        """There is nothing to close."""
