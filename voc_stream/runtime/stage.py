"""What a stage is for the runtime, and what it is given; `runner.py` runs it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from voc_stream.errors import OutsideError
from voc_stream.events.base import Decoder
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.pauses import Pauses
from voc_stream.stages.changes import Change
from voc_stream.stages.outcome import DeadLetter, Facts, Outcome, Retry
from voc_stream.stages.retry import RetryPolicy
from voc_stream.stages.self_pause import tenant_in
from voc_stream.tracing.current import Span
from voc_stream.tracing.tracing import OFF, Tracing


@dataclass(frozen=True, slots=True)
class Delivery:
    """One decoded record with its facts; `record` is Kafka's own, bytes and all; `span` is there if its call's trace is recorded."""

    event: Any
    facts: Facts
    record: Any
    span: Span | None = None

    @property
    def name(self) -> str:
        """Topic, partition and offset in one word."""
        return f"{self.facts.topic}[{self.facts.partition}]@{self.facts.offset}"

    @property
    def tenant_id(self) -> str | None:
        """Whose it is; of a record that cannot be decoded, what its bytes say, and None where they say nothing."""
        if self.event is None:
            return tenant_in(self.record.value)
        tenant_id: str | None = getattr(self.event, "tenant_id", None)
        return tenant_id


Work = Callable[[Sequence[Delivery]], Awaitable[Sequence[Outcome]]]
Failed = Callable[[Any, OutsideError, Facts, float], Retry | DeadLetter]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the runtime must know of a stage.

    Args:
        name: the verb.
        decode: bytes to event.
        work: events to outcomes, one each; may raise OutsideError for all of them.
        failed: what a failed attempt of one event leads to (event, error, facts, random number).
        needs: dependencies whose gates must be open.
        in_flight: records worked on at once.
        chunk: records handed to `work` at once.
        in_order: of a partition one chunk at a time, and the next when it is done with; partitions go side by side all the same.
        adapted: records worked on at once now, where their number follows a dependency; `in_flight` is its ceiling.
    """

    name: str
    decode: Decoder
    work: Work
    failed: Failed
    needs: tuple[str, ...]
    in_flight: int
    chunk: int = 1
    in_order: bool = False
    adapted: Callable[[], int] | None = None

    @property
    def at_once(self) -> int:
        """How many records may be worked on at once now."""
        return self.in_flight if self.adapted is None else min(self.in_flight, self.adapted())


def by_policy(policy: RetryPolicy) -> Failed:
    """Return what a stage says of a failed attempt that only the policy has a word in."""
    return lambda _event, error, facts, chance: policy.after(error, facts.attempt, chance)


class Publishes(Protocol):
    """What the runner needs of a publisher."""

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        """Send and wait for acknowledgement; the offsets."""


class Applies(Protocol):
    """What the runner needs of the store of calls."""

    async def apply(self, changes: Sequence[Change]) -> None:
        """Make PostgreSQL hold the changes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every stage of a worker shares.

    Args:
        publisher: sends outputs and dead letters.
        store: holds the changes.
        gates: by dependency.
        crash: ends the worker with this error.
        pauses: what stands still.
        tracing: decides what is traced.
        now: the time; replaced in tests.
        sleep: how to wait; replaced in tests.
        chance: random numbers from 0 to 1; replaced in tests.
    """

    publisher: Publishes
    store: Applies
    gates: Mapping[str, Gate]
    crash: Callable[[BaseException], Awaitable[None]]
    pauses: Pauses = field(default_factory=Pauses)
    tracing: Tracing = OFF
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
