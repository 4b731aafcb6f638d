"""What a stage says of one record: the runtime does it, and `match` on it is exhaustive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import msgspec

from voc_stream.stages.changes import Change


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stage may know beside the event: the time, which record and attempt this is, when its first attempt failed, if one did.

    `trace_id` is set where its call's trace is recorded (docs/tracing.md).
    """

    now: datetime
    topic: str
    partition: int
    offset: int
    attempt: int = 1
    failing_since: datetime | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A value to publish, with its key and a topic's name."""

    topic: str
    key: str
    value: msgspec.Struct


@dataclass(frozen=True, slots=True)
class Ok:
    """The record passed: first PostgreSQL holds `change`, then the publications are acknowledged, then the record is resolved."""

    change: Change | None = None
    out: tuple[Publication, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """The record needs nothing (a duplicate, say); counted by its reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """This attempt failed; the record stays where it is and is tried again after `delay` seconds."""

    reason: str
    delay: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The record cannot pass. `reason` is one sentence for a person, without payload; `change` is what PostgreSQL is told.

    `dependency` is set where attempts ran out on one: if that turns out to be down, the record is not to blame and is tried again.
    `stack` names places in the code (module, function, line) and no values.
    """

    error_type: str
    reason: str
    change: Change | None = None
    dependency: str | None = None
    stack: str = ""


Outcome: TypeAlias = Ok | Drop | Retry | DeadLetter
