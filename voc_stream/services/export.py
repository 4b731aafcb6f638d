"""Results to ClickHouse in one insert a chunk, and what `voc.calls` gets of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.completeness_asks import Event
from voc_stream.clients.object_store import ObjectStore
from voc_stream.errors import RejectedError
from voc_stream.events.base import derived_id, encode
from voc_stream.events.calls import ScoringResult, Transcript
from voc_stream.runtime.stage import Delivery
from voc_stream.services.composite import Composite
from voc_stream.stages.export import export, read_transcript, wants_transcript
from voc_stream.stages.outcome import Drop, Outcome

LARGEST_TRANSCRIPT = 32 << 20
Copies = Callable[[Collection[Event], datetime, datetime], Awaitable[Mapping[Event, int]]]
"""How often these events are stored, of those that are, between two times."""

FORGOTTEN = "forgotten"
_DAY = timedelta(days=1)


class Exporter:
    """Exports chunks of results; natural keys and tokens make a second time show nothing twice."""

    def __init__(
        self,
        *,
        warehouse: Warehouse,
        objects: ObjectStore,
        composite: Composite,
        privacy: CallPrivacy,
        copies: Copies,
        dedup_seconds: float,
        topic: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._warehouse = warehouse
        self._copies = copies
        self._old = timedelta(seconds=dedup_seconds / 2)
        self._now = now
        self._objects = objects
        self._composite = composite
        self._privacy = privacy
        self._topic = topic

    async def export(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Return the outcomes of a chunk that ClickHouse has, and the composite scores of its calls.

        Raises:
            OutsideError: ClickHouse, PostgreSQL or S3 failed.
        """
        standings = await self._privacy.standings([delivery.event for delivery in deliveries])
        outcomes: list[Outcome] = [Drop(FORGOTTEN)] * len(deliveries)
        places = [place for place, standing in enumerate(standings) if not standing.forgotten]
        for place, outcome in zip(places, await self._export([deliveries[place] for place in places]), strict=True):
            outcomes[place] = outcome
        return outcomes

    async def _export(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        if not deliveries:
            return []
        transcripts = await asyncio.gather(*(self._transcript(delivery.event) for delivery in deliveries))
        results = [delivery.event for delivery in deliveries]
        await self._warehouse.insert_scores(results, _token(results))
        await self._composite.scored(results)
        stored = await self._stored(results)
        told = [None if result.call_id in stored else transcript for result, transcript in zip(results, transcripts, strict=True)]
        return [export(delivery.event, transcript, delivery.facts, self._topic) for delivery, transcript in zip(deliveries, told, strict=True)]

    async def _stored(self, results: Sequence[ScoringResult]) -> set[str]:
        """Return the old calls whose events are stored: dedup may know them no more, and would let them pass a second time."""
        oldest = self._now() - self._old
        old = {(r.tenant_id, derived_id(r.tenant_id, r.call_id)): r for r in results if r.ended_at < oldest and wants_transcript(r)}
        if not old:
            return set()
        times = [result.ended_at for result in old.values()]
        return {old[event].call_id for event in await self._copies(set(old), min(times) - _DAY, max(times) + _DAY)}

    async def _transcript(self, result: ScoringResult) -> Transcript | None:
        if not wants_transcript(result) or result.transcript_key is None:
            return None
        data = await self._objects.get_bytes(result.transcript_key, LARGEST_TRANSCRIPT)
        try:
            return read_transcript(data)
        except msgspec.DecodeError as error:
            raise RejectedError("s3", f"the transcript {result.transcript_key} cannot be read") from error


def _token(results: Sequence[ScoringResult]) -> str:
    """Name a block by what is in it. Offsets would do until a topic is made anew: ClickHouse drops other rows that come with a token it knows."""
    digest = hashlib.sha256(b"".join(map(encode, results))).hexdigest()
    return f"call_scores:{digest[:32]}"
