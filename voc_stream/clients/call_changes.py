"""Each change of a call as SQL: guarded, so that a status moves along the allowed edges only and a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

import msgspec
import structlog

from voc_stream.clients.call_customers import Customer, write_customers
from voc_stream.clients.call_rows import Details
from voc_stream.clients.call_timeline import Happening
from voc_stream.clients.postgres import Connection
from voc_stream.events.calls import UNASSIGNED, AudioReady
from voc_stream.security.vault import Vault, on_the_wire
from voc_stream.stages.changes import (
    EDGES,
    EXPORT,
    At,
    Change,
    Downloaded,
    Enriched,
    Errored,
    Exported,
    Missing,
    Parked,
    Scored,
    Status,
    may_fail,
    may_move,
    sources_of,
)

logger = structlog.get_logger(__name__)

_LOCK = "SELECT call_id, status FROM call WHERE call_id = ANY($1::varchar[]) ORDER BY call_id FOR UPDATE"
_LOCK_AT_ONCE = f"{_LOCK} NOWAIT"

# A call that is there stays as it is; only one that no tenant was known for may get its tenant. What was forgotten does not come back: whoever
# forgets waits until those who write now are done, and who writes later sees it (ADR 26).
_INSERT_CALLS = """
INSERT INTO call (call_id, tenant_id, started_at, ended_at, agent_id, customer_ref, skill, service, switch_call_id,
                  metadata_version, event_ts, ingest_uuid)
SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::timestamptz[], $4::timestamptz[], $5::varchar[], $6::varchar[], $7::varchar[], $8::varchar[],
                     $9::varchar[], $10::int[], $11::timestamptz[], $12::uuid[])
         AS given (call_id, tenant_id, started_at, ended_at, agent_id, customer_ref)
WHERE NOT EXISTS (SELECT FROM forgotten AS f WHERE
    (f.scope = 'call' AND f.subject = given.call_id AND (f.tenant_id = given.tenant_id OR given.tenant_id = 'unassigned'))
    OR (f.tenant_id = given.tenant_id AND f.until >= given.started_at
        AND ((f.scope = 'tenant' AND f.subject = '') OR (f.scope = 'customer' AND f.subject = given.customer_ref))))
ON CONFLICT (call_id) DO UPDATE
SET tenant_id = EXCLUDED.tenant_id, customer_ref = EXCLUDED.customer_ref,
    metadata_version = EXCLUDED.metadata_version, event_ts = EXCLUDED.event_ts, ingest_uuid = EXCLUDED.ingest_uuid
WHERE call.tenant_id = 'unassigned' AND EXCLUDED.tenant_id <> 'unassigned'
RETURNING call_id
"""

_MOVE = """
UPDATE call SET status = $2, status_reason = $3, next_attempt_at = NULL WHERE call_id = ANY($1::varchar[]) AND status = ANY($4::varchar[])
"""

_ERROR = """
UPDATE call SET status = 'ERROR', status_reason = $2, next_attempt_at = CASE WHEN $3 AND redrives < $4 THEN $5::timestamptz END
WHERE call_id = $1 AND status = ANY($6::varchar[])
"""

_PARK = """
UPDATE call SET status_reason = $2, next_attempt_at = $3, first_missing_at = coalesce(first_missing_at, $4)
WHERE call_id = $1 AND status = 'PENDING_DOWNLOAD'
"""

# The same recording again keeps its first row, so that it is published as before.
_ASSETS = """
INSERT INTO audio_asset (call_id, s3_key, sha256, codec, sample_rate, channels, duration_seconds, size_bytes, ingest_delay_ms,
                         event_ts, ingest_uuid, status)
SELECT *, 'READY' FROM unnest($1::varchar[], $2::text[], $3::text[], $4::varchar[], $5::int[], $6::smallint[], $7::numeric[], $8::bigint[],
                              $9::bigint[], $10::timestamptz[], $11::uuid[])
ON CONFLICT (call_id) DO UPDATE
SET s3_key = EXCLUDED.s3_key, sha256 = EXCLUDED.sha256, codec = EXCLUDED.codec, sample_rate = EXCLUDED.sample_rate, channels = EXCLUDED.channels,
    duration_seconds = EXCLUDED.duration_seconds, size_bytes = EXCLUDED.size_bytes, ingest_delay_ms = EXCLUDED.ingest_delay_ms,
    event_ts = EXCLUDED.event_ts, ingest_uuid = EXCLUDED.ingest_uuid, status = 'READY'
WHERE audio_asset.status <> 'READY' OR (audio_asset.s3_key, audio_asset.sha256) IS DISTINCT FROM (EXCLUDED.s3_key, EXCLUDED.sha256)
"""

_NO_ASSET = """
INSERT INTO audio_asset (call_id, status) VALUES ($1, 'MISSING')
ON CONFLICT (call_id) DO UPDATE SET status = 'MISSING' WHERE audio_asset.status <> 'READY'
"""

_RESULT = """
INSERT INTO scoring_result (call_id, model_version, asr_model, outcome, reason, score, details, latency_ms, duration_seconds, talk_seconds,
                            transcript_key, scored_at, event_ts, ingest_uuid)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (call_id, model_version) DO NOTHING
"""

_EXPORTED = "UPDATE scoring_result SET exported_at = $3 WHERE call_id = $1 AND model_version = $2 AND exported_at IS NULL"

Standing = Literal["moves", "repeats", "refused"]


@dataclass(frozen=True, slots=True)
class Redrives:
    """How a failed call goes back by itself: how often, and after how many seconds."""

    most: int
    after: float


@dataclass(slots=True)
class Transition:
    """One transaction over the calls whose rows it has locked.

    Attributes:
        statuses: call_id → status, kept current as changes are applied; calls that PostgreSQL does not know are absent.
    """

    connection: Connection
    redrives: Redrives
    statuses: dict[str, Status] = field(default_factory=dict)
    _audio: list[AudioReady] = field(default_factory=list)

    async def lock(self, call_ids: Iterable[str], *, wait: bool) -> None:
        """Hold the calls' rows, always in the same order, so that two appliers wait for each other instead of dead-locking.

        The statuses are read after the wait: a guard in the update's WHERE alone would judge the row as it was before.

        Raises:
            asyncpg.LockNotAvailableError: without `wait`, another transaction holds one of them.
        """
        rows = await self.connection.fetch(_LOCK if wait else _LOCK_AT_ONCE, sorted(set(call_ids)))
        self.statuses |= {row["call_id"]: Status(row["status"]) for row in rows}

    async def apply(self, changes: Iterable[Downloaded | Parked | Missing | Scored | Exported | Errored]) -> list[Happening]:
        """Write changes in their order, downloads in two statements however many there are, and return what the timeline says of them."""
        happenings: list[Happening] = []
        for change in changes:
            if not isinstance(change, Downloaded):
                await self._write_audio()
            happenings.append(await self._apply(change))
        await self._write_audio()
        return happenings

    async def _apply(self, change: Downloaded | Parked | Missing | Scored | Exported | Errored) -> Happening:
        match change:
            case Downloaded():
                return self._downloaded(change)
            case Parked():
                return await self._parked(change)
            case Missing():
                return await self._missing(change)
            case Scored():
                return await self._scored(change)
            case Exported():
                return await self._exported(change)
            case Errored():
                return await self._errored(change)
            case _:
                assert_never(change)

    def standing(self, call_id: str, new: Status) -> Standing:
        """Whether the status moves, was reached before (the call may be further by now), or must not move."""
        old = self.statuses.get(call_id)
        if old is None:
            return "refused"
        if may_move(old, new):
            return "moves"
        return "repeats" if old == new or old in EDGES[new] - {Status.ERROR} else "refused"

    def _downloaded(self, change: Downloaded) -> Happening:
        audio = change.audio
        standing = self.standing(audio.call_id, Status.DOWNLOADED)
        if standing == "moves":
            self._audio.append(audio)
            self.statuses[audio.call_id] = Status.DOWNLOADED
        return self._told(standing, Happening(audio.call_id, "download", "downloaded", change.at))

    async def _write_audio(self) -> None:
        audio, self._audio = self._audio, []
        if not audio:
            return
        await write_assets(self.connection, audio)
        await self._move([one.call_id for one in audio], Status.DOWNLOADED, None)

    async def _parked(self, change: Parked) -> Happening:
        old = self.statuses.get(change.call_id)
        standing: Standing = "moves" if old is Status.PENDING_DOWNLOAD else self.standing(change.call_id, Status.DOWNLOADED)
        if standing == "moves":
            await self.connection.execute(_PARK, change.call_id, change.reason, change.next_attempt_at, change.at.time)
        return self._told(standing, Happening(change.call_id, "download", "parked", change.at, detail=change.reason))

    async def _missing(self, change: Missing) -> Happening:
        standing = self.standing(change.call_id, Status.MISSING)
        if standing == "moves":
            await self.connection.execute(_NO_ASSET, change.call_id)
            await self._move([change.call_id], Status.MISSING, change.reason)
        return self._told(standing, Happening(change.call_id, "download", "missing", change.at, detail=change.reason))

    async def _scored(self, change: Scored) -> Happening:
        result = change.result
        new = Status(result.outcome)
        standing = self.standing(result.call_id, new)
        if standing != "refused":  # a further model's result of a scored call is stored, too
            await self.connection.execute(
                _RESULT,
                result.call_id,
                result.model_version,
                result.asr_model,
                result.outcome,
                result.reason,
                result.score,
                msgspec.json.encode(Details(result.detail, result.breakdown)).decode(),
                result.latency_ms,
                result.duration,
                result.talk_seconds,
                result.transcript_key,
                result.scored_at,
                result.event_ts,
                result.ingest_uuid,
            )
        if standing == "moves":
            await self._move([result.call_id], new, result.detail or result.reason)
        return self._told(standing, Happening(result.call_id, "score", new.lower(), change.at, detail=result.detail or result.reason))

    async def _exported(self, change: Exported) -> Happening:
        await self.connection.execute(_EXPORTED, change.call_id, change.model_version, change.at.time)
        return Happening(change.call_id, EXPORT, "exported", change.at, self.statuses.get(change.call_id), change.model_version)

    async def _errored(self, change: Errored) -> Happening:
        old = self.statuses.get(change.call_id)
        standing = self.standing(change.call_id, Status.ERROR)
        if standing == "moves" and old is not None and not may_fail(old, change.stage):
            standing = "refused"
        if standing == "moves":
            due = change.at.time + timedelta(seconds=self.redrives.after)
            sources = sorted(sources_of(Status.ERROR))
            await self.connection.execute(_ERROR, change.call_id, change.reason, change.retry, self.redrives.most, due, sources)
            self.statuses[change.call_id] = Status.ERROR
        return self._told(standing, Happening(change.call_id, change.stage, "errored", change.at, detail=change.reason))

    async def _move(self, call_ids: Sequence[str], new: Status, reason: str | None) -> None:
        await self.connection.execute(_MOVE, call_ids, new, reason, sorted(sources_of(new)))
        self.statuses |= dict.fromkeys(call_ids, new)

    def _told(self, standing: Standing, told: Happening) -> Happening:
        status = self.statuses.get(told.call_id)
        if standing != "refused":
            return replace(told, status=status)
        logger.warning(
            "illegal_transition", call_id=told.call_id, stage=told.stage, what=told.what, status=status, topic=told.at.topic, offset=told.at.offset
        )
        return replace(told, status=status, detail=f"refused: the call is {status or 'unknown'}")


async def write_assets(connection: Connection, audio: Sequence[AudioReady]) -> None:
    """Insert the rows of recordings, or replace those of other ones; the calls stay as they are."""
    await connection.execute(
        _ASSETS,
        [one.call_id for one in audio],
        [one.s3_key for one in audio],
        [one.sha256 for one in audio],
        [one.codec for one in audio],
        [one.sample_rate for one in audio],
        [one.channels for one in audio],
        [round(one.duration, 2) for one in audio],
        [one.size_bytes for one in audio],
        [one.ingest_delay_ms for one in audio],
        [one.event_ts for one in audio],
        [one.ingest_uuid for one in audio],
    )


async def write_enriched(connection: Connection, vault: Vault, changes: Sequence[Enriched]) -> list[Happening]:
    """Insert the calls that are not there, with their customers, in two statements however many there are.

    Raises:
        NoKeyError: there is personal data and no key for it.
        SealError: sealed udfs were not sealed for this call.
    """
    first = sorted(_one_per_call(changes), key=lambda change: change.call.call_id)
    calls = [change.call for change in first]
    changed = await connection.fetch(
        _INSERT_CALLS,
        [call.call_id for call in calls],
        [call.tenant_id for call in calls],
        [call.started_at for call in calls],
        [call.ended_at for call in calls],
        [call.agent_id for call in calls],
        [vault.reference(change.customer, change.call.tenant_id) for change in first],
        [call.skill for call in calls],
        [call.service for call in calls],
        [call.switch_call_id for call in calls],
        [call.metadata_version for call in calls],
        [call.event_ts for call in calls],
        [call.ingest_uuid for call in calls],
    )
    new = {row["call_id"] for row in changed}
    await write_customers(connection, vault, [_customer(vault, change) for change in first if change.call.call_id in new])
    return [Happening(change.call.call_id, "enrich", "enriched", change.at) for change in changes]


def _one_per_call(changes: Sequence[Enriched]) -> Iterable[Enriched]:
    """The first of each call; a later one only where it brings the tenant."""
    kept: dict[str, Enriched] = {}
    for change in changes:
        known = kept.setdefault(change.call.call_id, change)
        if known.call.tenant_id == UNASSIGNED:
            kept[change.call.call_id] = change
    return kept.values()


def _customer(vault: Vault, change: Enriched) -> Customer:
    call = change.call
    udfs = vault.open(change.sealed_udfs, bound_to=on_the_wire(call.call_id)) if change.sealed_udfs else ""
    return Customer(call_id=call.call_id, tenant_id=call.tenant_id, other_parties=change.customer, udfs=udfs)


def call_id_of(change: Change) -> str:
    """Return the call that a change is about."""
    match change:
        case Enriched():
            return change.call.call_id
        case Downloaded():
            return change.audio.call_id
        case Scored():
            return change.result.call_id
        case _:
            return change.call_id


def redriven_at(now: datetime, redrives: int) -> At:
    """Return the coordinates of a re-drive in the timeline: no record, and the count in place of the attempt."""
    return At(time=now, topic="", partition=-1, offset=-1, attempt=redrives)
