"""The composite scores in memory: the same answers as PostgreSQL's and ClickHouse's, proven by tests/contract/test_composite.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from tests.fakes.faults import PlannedFaults
from voc_stream.clients.composite_store import merged_by_call
from voc_stream.stages.composite import CallSides

Key = tuple[str, str]


@dataclass(slots=True)
class FakeCompositeStore:
    """Holds calls by (tenant, call).

    Attributes:
        faults: `before` fails a merge that then stored nothing, `after` one that stored it all: the reply was lost.
    """

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    calls: dict[Key, CallSides] = field(default_factory=dict)
    came: dict[Key, datetime] = field(default_factory=dict)
    faults: PlannedFaults = field(default_factory=PlannedFaults)

    async def merge(self, given: Iterable[CallSides]) -> list[CallSides]:
        calls = merged_by_call(given)
        self.faults.check("before")
        for call in calls:
            known = self.calls.get(call.key)
            merged = call if known is None else known.merged(call)
            self.came.setdefault(call.key, self.now)
            self.calls[call.key] = merged if merged == known else msgspec.structs.replace(merged, revision=merged.revision + 1)
        self.faults.check("after")
        return [self.calls[call.key] for call in calls if self.calls[call.key].have_met]

    async def forget_unmet(self, before: datetime) -> int:
        old = [key for key, call in self.calls.items() if call.quality is None and self.came[key] < before]
        for key in old:
            del self.calls[key], self.came[key]
        return len(old)


@dataclass(slots=True)
class FakeCompositeTable:
    """Shows of each call the highest revision.

    Attributes:
        faults: `before` fails an insert that then inserted nothing, `after` one that inserted it all.
    """

    shown: dict[Key, CallSides] = field(default_factory=dict)
    faults: PlannedFaults = field(default_factory=PlannedFaults)

    async def insert(self, calls: Sequence[CallSides]) -> None:
        self.faults.check("before")
        for call in calls:
            known = self.shown.get(call.key)
            if call.have_met and (known is None or call.revision >= known.revision):
                self.shown[call.key] = call
        self.faults.check("after")

    def composites(self) -> dict[Key, Decimal | None]:
        return {key: call.composite for key, call in self.shown.items()}
