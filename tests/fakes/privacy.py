"""What is known of calls' privacy, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voc_stream.clients.call_privacy import Standing
from voc_stream.events.calls import CallRecord
from voc_stream.events.voc import VocEvent


class AsTheyCame:
    """Leaves events as they are."""

    async def refresh(self) -> None:
        """Nobody was forgotten."""

    async def clean(self, events: list[VocEvent], values: Sequence[bytes]) -> list[bytes]:
        assert len(events) == len(values)
        return list(values)


@dataclass(slots=True)
class FakePrivacy:
    """Answers what a test says.

    Attributes:
        known: by call_id; of all others nothing holds.
        people: the names that calls know of.
        originals: what was kept, by call_id.
        gone: calls that are not known any more when something is to be kept.
    """

    known: dict[str, Standing] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    originals: dict[str, bytes] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    async def standing(self, call: CallRecord) -> Standing:
        return self.known.get(call.call_id, Standing())

    async def standings(self, calls: Sequence[CallRecord], customers: Sequence[str] = ()) -> list[Standing]:
        assert len(customers) in {0, len(calls)}
        return [await self.standing(call) for call in calls]

    async def names(self, call_id: str, agent_id: str) -> list[str]:
        assert call_id
        assert agent_id is not None
        return self.people

    async def keep_original(self, call_id: str, data: bytes) -> bool:
        if call_id in self.gone:
            return False
        self.originals[call_id] = data
        return True
