"""The composite score of each call: its quality and its customer's sentiment meet in PostgreSQL and go to ClickHouse (ADR 0015)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from voc_stream.events.calls import UNASSIGNED, ScoringResult
from voc_stream.events.voc import CallEvent, VocEvent
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.composite import CallSides, Feeling, Quality, Weights

# What a double keeps exactly through PostgreSQL's arithmetic and ours.
_DECIMALS = 6
_SCORE_DECIMALS = 2


class Merges(Protocol):
    """Where the two sides of a call meet."""

    async def merge(self, given: Iterable[CallSides]) -> list[CallSides]:
        """Add what is given to what is stored; return those of the calls that have both sides now, as they are."""

    async def forget_unmet(self, before: datetime) -> int:
        """Remove what came before a time and never met a score; return how many calls that were."""


class Tells(Protocol):
    """Who is told of them."""

    async def insert(self, calls: Sequence[CallSides]) -> None:
        """Hold the calls, of each the highest revision."""


class Composite:
    """Feeds both sides. What is done twice shows once; the newest of each side stands, in whichever order they come.

    Args:
        store: PostgreSQL.
        table: ClickHouse.
        weights: the tenants' weights as they are now.
    """

    def __init__(self, store: Merges, table: Tells, weights: Callable[[], Weights]) -> None:
        self._store = store
        self._table = table
        self._weights = weights

    async def scored(self, results: Sequence[ScoringResult]) -> None:
        """Feed results of the scorer; those of calls without a tenant wait until they have one.

        Raises:
            OutsideError: PostgreSQL or ClickHouse failed; all of it may be sent again.
        """
        weights = self._weights()
        assigned = (result for result in results if result.tenant_id != UNASSIGNED)
        await self._feed([CallSides(r.tenant_id, r.call_id, weights.of(r.tenant_id), quality=_quality(r)) for r in assigned])

    async def heard(self, events: Sequence[VocEvent], annotations: Sequence[Annotation]) -> None:
        """Feed a window of annotated events: of its calls those whose sentiment is known.

        Raises:
            OutsideError: PostgreSQL or ClickHouse failed; all of it may be sent again.
        """
        weights = self._weights()
        await self._feed(
            [
                CallSides(event.tenant_id, event.call_id, weights.of(event.tenant_id), feeling=feeling)
                for event, annotation in zip(events, annotations, strict=True)
                if isinstance(event, CallEvent) and (feeling := _feeling(event, annotation))
            ]
        )

    async def forget_unmet(self, before: datetime) -> int:
        """Remove sentiments from before a time that met no score; return how many. ClickHouse never had them.

        Raises:
            OutsideError: PostgreSQL failed.
        """
        return await self._store.forget_unmet(before)

    async def _feed(self, given: Sequence[CallSides]) -> None:
        if given:
            # After the commit: ClickHouse never holds what PostgreSQL does not, and a repeat tells it what a crash kept from it.
            await self._table.insert(await self._store.merge(given))


def _quality(result: ScoringResult) -> Quality:
    score = None if result.score is None else round(Decimal(repr(result.score)), _SCORE_DECIMALS)
    return Quality(score, result.model_version, result.scored_at)


def _feeling(event: CallEvent, annotation: Annotation) -> Feeling | None:
    if annotation.sentiment is None:
        return None
    return Feeling(round(annotation.sentiment, _DECIMALS), annotation.sentiment_source, event.timestamp, event.event_id)
