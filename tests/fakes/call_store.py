"""The call store in memory: the same answers as PostgreSQL's, proven by tests/contract/test_call_store.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from voc_stream.clients.call_rows import TimelineEntry
from voc_stream.clients.call_timeline import Happening
from voc_stream.errors import OutsideError
from voc_stream.events.calls import UNASSIGNED, AudioReady, EnrichedCall, ScoringResult
from voc_stream.stages.changes import EDGES, At, Change, Downloaded, Enriched, Errored, Exported, Missing, Parked, Scored, Status, may_fail, may_move


@dataclass(slots=True)
class Row:
    """A call as the store holds it."""

    call: EnrichedCall
    status: Status = Status.PENDING_DOWNLOAD
    reason: str | None = None
    next_attempt_at: datetime | None = None
    first_missing_at: datetime | None = None
    redrives: int = 0


@dataclass(slots=True)
class FakeCallStore:
    """Holds calls in dictionaries.

    Attributes:
        fail_with: raised by every method while it is set.
        applied: every change that came, in order, repeats too.
        exported: when the result of (call_id, model_version) was exported.
    """

    error_redrives: int = 3
    error_redrive_seconds: float = 900.0
    fail_with: OutsideError | None = None
    applied: list[Change] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    assets: dict[str, AudioReady] = field(default_factory=dict)
    results: dict[tuple[str, str], ScoringResult] = field(default_factory=dict)
    exported: dict[tuple[str, str], datetime] = field(default_factory=dict)
    checkpoints: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    events: dict[tuple[str, str, str, str, int, int, int], TimelineEntry] = field(default_factory=dict)
    lent: set[str] = field(default_factory=set)

    async def apply(self, changes: Sequence[Change]) -> None:
        self._may_fail()
        self.applied += changes
        first = [change for change in changes if isinstance(change, Enriched)]
        for change in [*first, *(change for change in changes if not isinstance(change, Enriched))]:
            self._apply(change)

    async def asset(self, call_id: str) -> AudioReady | None:
        self._may_fail()
        asset = self.assets.get(call_id)
        return msgspec.structs.replace(asset, tenant_id=self.rows[call_id].call.tenant_id) if asset else None

    async def result(self, call_id: str, model_version: str) -> ScoringResult | None:
        self._may_fail()
        result = self.results.get((call_id, model_version))
        return msgspec.structs.replace(result, tenant_id=self.rows[call_id].call.tenant_id) if result else None

    async def status(self, call_id: str) -> Status | None:
        self._may_fail()
        row = self.rows.get(call_id)
        return row.status if row else None

    async def first_missing_at(self, call_id: str) -> datetime | None:
        self._may_fail()
        row = self.rows.get(call_id)
        return row.first_missing_at if row else None

    @asynccontextmanager
    async def due(self, limit: int, now: datetime) -> AsyncIterator[list[EnrichedCall]]:
        self._may_fail()
        waiting = sorted((row.next_attempt_at, call_id) for call_id, row in self.rows.items() if row.next_attempt_at and call_id not in self.lent)
        call_ids = [call_id for time, call_id in waiting if time <= now][:limit]
        with _Loan(self.lent, call_ids):
            yield [self.rows[call_id].call for call_id in call_ids]
            for call_id in call_ids:
                self._published_again(call_id, now)

    @asynccontextmanager
    async def unassigned(self, limit: int, tenant_of: Callable[[str, str], str | None]) -> AsyncIterator[list[EnrichedCall]]:
        self._may_fail()
        free = (row.call for call_id, row in self.rows.items() if row.call.tenant_id == UNASSIGNED and call_id not in self.lent)
        mapped = ((call, tenant_of(call.service, call.skill)) for call in free)
        calls = [msgspec.structs.replace(call, tenant_id=tenant) for call, tenant in mapped if tenant and tenant != UNASSIGNED][:limit]
        with _Loan(self.lent, [call.call_id for call in calls]):
            yield calls
            for call in calls:
                self.rows[call.call_id].call = call

    async def checkpoint(self, checkpoint_id: int) -> tuple[datetime, datetime] | None:
        self._may_fail()
        return self.checkpoints.get(checkpoint_id)

    async def save_checkpoint(self, checkpoint_id: int, polled_from: datetime, polled_to: datetime) -> None:
        self._may_fail()
        known = self.checkpoints.get(checkpoint_id)
        if known is None or known[1] < polled_to:
            self.checkpoints[checkpoint_id] = (polled_from, polled_to)

    async def counts(self) -> dict[Status, int]:
        self._may_fail()
        return {status: sum(1 for row in self.rows.values() if row.status is status) for status in Status}

    async def timeline(self, call_id: str) -> list[TimelineEntry]:
        self._may_fail()
        return sorted((entry for key, entry in self.events.items() if key[0] == call_id), key=lambda entry: entry.at)

    def _may_fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with

    def _apply(self, change: Change) -> None:
        match change:
            case Enriched():
                self._enriched(change)
            case Downloaded() | Parked() | Missing():
                self._fetched(change)
            case Scored():
                self._scored(change)
            case Exported(call_id, model_version, at):
                if (call_id, model_version) in self.results:
                    self.exported.setdefault((call_id, model_version), at.time)
                self._tell(Happening(call_id, "export", "exported", at, detail=model_version))
            case Errored(call_id, stage, reason, retry, at):
                known = self.rows.get(call_id)
                may = known is not None and may_fail(known.status, stage)
                if may and self._move(call_id, Status.ERROR, reason) and retry and self.rows[call_id].redrives < self.error_redrives:
                    self.rows[call_id].next_attempt_at = at.time + timedelta(seconds=self.error_redrive_seconds)
                self._tell(Happening(call_id, stage, "errored", at, detail=reason), {Status.ERROR})

    def _enriched(self, change: Enriched) -> None:
        call = change.call
        known = self.rows.setdefault(call.call_id, Row(call))
        if known.call.tenant_id == UNASSIGNED:
            known.call = call
        self._tell(Happening(call.call_id, "enrich", "enriched", change.at))

    def _fetched(self, change: Downloaded | Parked | Missing) -> None:
        match change:
            case Downloaded(audio, at):
                if self._move(audio.call_id, Status.DOWNLOADED, None):
                    known = self.assets.get(audio.call_id)
                    if known is None or (known.s3_key, known.sha256) != (audio.s3_key, audio.sha256):
                        self.assets[audio.call_id] = audio
                self._tell(Happening(audio.call_id, "download", "downloaded", at), _reached(Status.DOWNLOADED))
            case Parked(call_id, reason, next_attempt_at, at):
                row = self.rows.get(call_id)
                if row and row.status is Status.PENDING_DOWNLOAD:
                    row.reason, row.next_attempt_at, row.first_missing_at = reason, next_attempt_at, row.first_missing_at or at.time
                allowed = {Status.PENDING_DOWNLOAD} | _reached(Status.DOWNLOADED)
                self._tell(Happening(call_id, "download", "parked", at, detail=reason), allowed)
            case Missing(call_id, reason, at):
                self._move(call_id, Status.MISSING, reason)
                self._tell(Happening(call_id, "download", "missing", at, detail=reason), _reached(Status.MISSING))

    def _scored(self, change: Scored) -> None:
        result, new = change.result, Status(change.result.outcome)
        reason = result.detail or result.reason
        self._move(result.call_id, new, reason)
        row = self.rows.get(result.call_id)
        if row and row.status in _reached(new):
            self.results.setdefault((result.call_id, result.model_version), result)
        self._tell(Happening(result.call_id, "score", new.lower(), change.at, detail=reason), _reached(new))

    def _move(self, call_id: str, new: Status, reason: str | None) -> bool:
        row = self.rows.get(call_id)
        if row is None or not may_move(row.status, new):
            return False
        row.status, row.reason, row.next_attempt_at = new, reason, None
        return True

    def _tell(self, told: Happening, allowed: AbstractSet[Status] | None = None) -> None:
        """Add to the timeline; a change that is not allowed in the call's status is told as refused."""
        status = self.rows[told.call_id].status if told.call_id in self.rows else None
        refused = allowed is not None and status not in allowed
        detail = f"refused: the call is {status or 'unknown'}" if refused else told.detail
        at = told.at
        entry = TimelineEntry(at.time, told.stage, told.what, status, at.attempt, at.topic, at.partition, at.offset, detail, at.trace_id)
        self.events.setdefault((told.call_id, told.stage, told.what, at.topic, at.partition, at.offset, at.attempt), entry)

    def _published_again(self, call_id: str, now: datetime) -> None:
        row = self.rows[call_id]
        row.next_attempt_at = None
        if row.status is Status.ERROR:
            row.status = Status.PENDING_DOWNLOAD
            row.redrives += 1
            self._tell(Happening(call_id, "redrive", "redriven", At(now, "", -1, -1, row.redrives)))


def _reached(status: Status) -> AbstractSet[Status]:
    """Return the status and what comes after it: a change to it is done or a repeat."""
    return {status} | EDGES[status] - {Status.ERROR, Status.PENDING_DOWNLOAD}


@dataclass(slots=True)
class _Loan:
    """Keeps calls from others while a block has them."""

    lent: set[str]
    call_ids: list[str]

    def __enter__(self) -> None:
        self.lent.update(self.call_ids)

    def __exit__(self, *_: object) -> None:
        self.lent.difference_update(self.call_ids)
