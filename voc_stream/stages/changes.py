"""What a stage wants PostgreSQL to hold: each change is applied whole, in one transaction, and a second time without effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from voc_stream.events.calls import AudioReady, EnrichedCall, ScoringResult


class Status(StrEnum):
    """Where a call is (spec section 2)."""

    PENDING_DOWNLOAD = "PENDING_DOWNLOAD"
    DOWNLOADED = "DOWNLOADED"
    SCORED = "SCORED"
    NOT_SCORABLE = "NOT_SCORABLE"
    MISSING = "MISSING"
    ERROR = "ERROR"


FINAL = frozenset({Status.SCORED, Status.NOT_SCORABLE, Status.MISSING, Status.ERROR})

EXPORT = "export"

# The only edges along which a status moves; staying where it is is always a no-op.
EDGES: dict[Status, frozenset[Status]] = {
    Status.PENDING_DOWNLOAD: frozenset({Status.DOWNLOADED, Status.MISSING, Status.ERROR}),
    Status.DOWNLOADED: frozenset({Status.SCORED, Status.NOT_SCORABLE, Status.ERROR}),
    Status.ERROR: frozenset({Status.PENDING_DOWNLOAD}),
    Status.MISSING: frozenset({Status.PENDING_DOWNLOAD}),
    Status.SCORED: frozenset({Status.ERROR}),
    Status.NOT_SCORABLE: frozenset({Status.SCORED, Status.ERROR}),
}


def may_move(old: Status, new: Status) -> bool:
    """Whether a call may go from one status to the other."""
    return new in EDGES[old]


def may_fail(old: Status, stage: str) -> bool:
    """Whether a call may become ERROR by this stage: one that has its result only by the export of it, not by an earlier stage that comes late."""
    return may_move(old, Status.ERROR) and (stage == EXPORT or old not in {Status.SCORED, Status.NOT_SCORABLE})


def sources_of(new: Status) -> frozenset[Status]:
    """Return the statuses from which a call may reach this one."""
    return frozenset(old for old, targets in EDGES.items() if new in targets)


@dataclass(frozen=True, slots=True)
class At:
    """The record that caused a change, for the call's timeline, and the trace in which it did, if that is recorded."""

    time: datetime
    topic: str
    partition: int
    offset: int
    attempt: int = 1
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Enriched:
    """A call was found. `customer` and `sealed_udfs` are personal data and go to `customer_pii` only, encrypted."""

    call: EnrichedCall
    customer: str
    sealed_udfs: str
    at: At


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The recording is in S3: `audio_asset` READY and `call` DOWNLOADED."""

    audio: AudioReady
    at: At


@dataclass(frozen=True, slots=True)
class Parked:
    """The recording is not there yet: `calls.enriched` gets the call again at `next_attempt_at`."""

    call_id: str
    reason: str
    next_attempt_at: datetime
    at: At


@dataclass(frozen=True, slots=True)
class Missing:
    """The recording never came: `audio_asset` and `call` MISSING."""

    call_id: str
    reason: str
    at: At


@dataclass(frozen=True, slots=True)
class Scored:
    """A result, one per (call_id, model_version): `call` SCORED or NOT_SCORABLE."""

    result: ScoringResult
    at: At


@dataclass(frozen=True, slots=True)
class Exported:
    """The result is in ClickHouse and, if it has a transcript, in `voc.calls`."""

    call_id: str
    model_version: str
    at: At


@dataclass(frozen=True, slots=True)
class Errored:
    """The call was dead-lettered: `call` ERROR with its reason. With `retry`, it goes back to PENDING_DOWNLOAD by itself while attempts remain."""

    call_id: str
    stage: str
    reason: str
    retry: bool
    at: At


Change: TypeAlias = Enriched | Downloaded | Parked | Missing | Scored | Exported | Errored
