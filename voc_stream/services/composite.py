"""The composite score of each call: its quality and its customer's sentiment meet in PostgreSQL and go to ClickHouse (ADR 14).

The quality is written to PostgreSQL and then the sentiment looked for in `voc_events`; the sentiment is written to `voc_events` and then the quality
looked for in PostgreSQL. Both write before they read: whichever is second sees the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from voc_stream.events.calls import UNASSIGNED, ScoringResult
from voc_stream.events.voc import CallEvent, VocEvent
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.composite import CallSides, Feeling, Key, Quality, Weights
from voc_stream.tracing.current import told_as

_SCORE_DECIMALS = 2

# Events of a call are told from its start on, by clocks and zones that may be wrong, or later, but not later than topics keep its score.
_EARLIEST = timedelta(days=-1)
_LATEST = timedelta(days=31)


class Merges(Protocol):
    """Where the two sides of a call meet."""

    async def scored(self, tenant_ids: Sequence[str], call_ids: Sequence[str]) -> list[int]:
        """Return which of these calls have a quality, by their places."""

    async def merge(self, given: Iterable[CallSides]) -> list[CallSides]:
        """Add what is given to what is stored, but no sentiment where there is no quality; return those of the calls that have both sides now."""


class Remembers(Protocol):
    """Who knows what customers felt, as soon as `heard` is told of it."""

    async def newest(self, calls: Collection[Key], since: datetime, until: datetime) -> dict[Key, Feeling]:
        """Return the newest sentiment of each of the calls that has one in that time."""


class Tells(Protocol):
    """Who is told of them."""

    async def insert(self, calls: Sequence[CallSides]) -> None:
        """Hold the calls, of each the highest revision."""


class Composite:
    """Feeds both sides. What is done twice shows once; the newest of each side stands, in whichever order they come.

    Args:
        store: PostgreSQL.
        table: ClickHouse.
        feelings: the customer events in ClickHouse.
        weights: the tenants' weights as they are now.
    """

    def __init__(self, store: Merges, table: Tells, feelings: Remembers, weights: Callable[[], Weights]) -> None:
        self._store = store
        self._table = table
        self._feelings = feelings
        self._weights = weights

    @told_as("composite score")
    async def scored(self, results: Sequence[ScoringResult]) -> None:
        """Feed results of the scorer; those of calls without a tenant wait until they have one.

        Raises:
            OutsideError: PostgreSQL or ClickHouse failed; all of it may be sent again.
        """
        weights = self._weights()
        scored = [CallSides(r.tenant_id, r.call_id, weights.of(r.tenant_id), quality=_quality(r)) for r in results if r.tenant_id != UNASSIGNED]
        if not scored:
            return
        met = {call.key: call for call in await self._store.merge(scored)}
        starts = [result.started_at for result in results]
        # After the commit, never before: an event that is stored later finds the quality by itself.
        found = await self._feelings.newest([call.key for call in scored], min(starts) + _EARLIEST, max(starts) + _LATEST)
        felt = [CallSides(*key, weights.of(key[0]), feeling=feeling) for key, feeling in found.items()]
        met |= {call.key: call for call in await self._store.merge(felt)}
        await self._table.insert(list(met.values()))

    @told_as("composite score")
    async def heard(self, events: Sequence[VocEvent], annotations: Sequence[Annotation]) -> None:
        """Feed a window of annotated events, which are stored: of its calls those whose sentiment is known and which have a quality.

        The others are left to `scored`, which finds them in the warehouse; they cost one look into an index.

        Raises:
            OutsideError: PostgreSQL or ClickHouse failed; all of it may be sent again.
        """
        # Most calls go no further than this: no isinstance, which goes through the ABCMeta of msgspec's Structs, and no Struct made of each.
        felt = [
            (event, annotation.sentiment, annotation.sentiment_source, annotation.topic)
            for event, annotation in zip(events, annotations, strict=True)
            if type(event) is CallEvent and annotation.sentiment is not None
        ]
        if not felt:
            return
        places = await self._store.scored([event.tenant_id for event, _, _, _ in felt], [event.call_id for event, _, _, _ in felt])
        if not places:
            return
        weights = self._weights()
        known = [
            (event, Feeling.as_stored(sentiment, source, event.timestamp, UUID(event.event_id), topic))
            for event, sentiment, source, topic in (felt[place] for place in places)
        ]
        given = [CallSides(event.tenant_id, event.call_id, weights.of(event.tenant_id), feeling=feeling) for event, feeling in known]
        # After the commit: ClickHouse never holds what PostgreSQL does not, and a repeat tells it what a crash kept from it.
        await self._table.insert(await self._store.merge(given))


def _quality(result: ScoringResult) -> Quality:
    score = None if result.score is None else round(Decimal(repr(result.score)), _SCORE_DECIMALS)
    return Quality(score, result.model_version, result.scored_at)
