"""The composite scores in memory: the same answers as PostgreSQL's and ClickHouse's, proven by tests/contract/test_composite.py."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from tests.fakes.faults import PlannedFaults
from voc_stream.clients.composite_store import merged_by_call
from voc_stream.events.voc import CallEvent
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.composite import CallSides, Feeling, Key


class Turn:
    """Lets others take a turn, as a request to a server does."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass(slots=True)
class FakeCompositeStore:
    """Holds calls by (tenant, call).

    Attributes:
        asked: every (tenant, call) that was looked for.
        faults: `scored` fails a look; `before` a merge that then stored nothing, `after` one that stored it all: the reply was lost.
    """

    calls: dict[Key, CallSides] = field(default_factory=dict)
    asked: list[Key] = field(default_factory=list)
    faults: PlannedFaults = field(default_factory=PlannedFaults)

    async def scored(self, tenant_ids: Sequence[str], call_ids: Sequence[str]) -> list[int]:
        await Turn()
        self.faults.check("scored")
        keys = list(zip(tenant_ids, call_ids, strict=True))
        self.asked += keys
        return [place for place, key in enumerate(keys) if key in self.calls]

    async def merge(self, given: Iterable[CallSides]) -> list[CallSides]:
        calls = [call for call in merged_by_call(given) if call.quality or call.key in self.calls]
        await Turn()
        self.faults.check("before")
        for call in calls:
            known = self.calls.get(call.key)
            merged = call if known is None else known.merged(call)
            self.calls[call.key] = merged if merged == known else msgspec.structs.replace(merged, revision=merged.revision + 1)
        self.faults.check("after")
        return [self.calls[call.key] for call in calls if self.calls[call.key].have_met]


@dataclass(slots=True)
class FakeCompositeTable:
    """Shows of each call the highest revision.

    Attributes:
        faults: `before` fails an insert that then inserted nothing, `after` one that inserted it all.
    """

    shown: dict[Key, CallSides] = field(default_factory=dict)
    faults: PlannedFaults = field(default_factory=PlannedFaults)

    async def insert(self, calls: Sequence[CallSides]) -> None:
        await Turn()
        self.faults.check("before")
        for call in calls:
            known = self.shown.get(call.key)
            if call.have_met and (known is None or call.revision >= known.revision):
                self.shown[call.key] = call
        self.faults.check("after")

    def composites(self) -> dict[Key, Decimal | None]:
        return {key: call.composite for key, call in self.shown.items()}


@dataclass(slots=True)
class FakeFeelings:
    """Holds the sentiments of events.

    Attributes:
        faults: `newest` fails a look.
    """

    stored: list[tuple[Key, Feeling]] = field(default_factory=list)
    faults: PlannedFaults = field(default_factory=PlannedFaults)

    async def store(self, event: CallEvent, annotation: Annotation) -> None:
        """Store an event, as a window is before anybody hears of it."""
        await Turn()
        if annotation.sentiment is not None:
            heard = (annotation.sentiment, annotation.sentiment_source, event.timestamp, UUID(event.event_id), annotation.topic)
            feeling = Feeling.as_stored(*heard)
            self.stored.append(((event.tenant_id, event.call_id), feeling))

    async def newest(self, calls: Collection[Key], since: datetime, until: datetime) -> dict[Key, Feeling]:
        await Turn()
        self.faults.check("newest")
        found = [(key, feeling) for key, feeling in self.stored if key in set(calls) and since <= feeling.heard_at <= until]
        return dict(sorted(found, key=lambda one: (one[1].heard_at, one[1].event_id)))
