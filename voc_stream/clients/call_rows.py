"""Rows of PostgreSQL as the values that Kafka carries, so that a repeated step publishes what it published before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from voc_stream.events.calls import AudioReady, BreakdownItem, EnrichedCall, ScoringResult
from voc_stream.stages.changes import Status

ASSETS = """
SELECT call_id, call.tenant_id, call.started_at, call.ended_at, call.agent_id, call.skill, call.service, call.switch_call_id,
       asset.s3_key, asset.sha256, asset.codec, asset.duration_seconds, asset.sample_rate, asset.channels, asset.size_bytes,
       asset.ingest_delay_ms, asset.event_ts, asset.ingest_uuid
FROM audio_asset AS asset JOIN call USING (call_id)
WHERE call_id = ANY($1::varchar[]) AND asset.status = 'READY'
"""

RESULT = """
SELECT call_id, call.tenant_id, call.started_at, call.ended_at, call.agent_id, call.skill, call.service, call.switch_call_id,
       result.model_version, result.asr_model, result.outcome, result.reason, result.score, result.details, result.latency_ms,
       result.duration_seconds, result.talk_seconds, result.transcript_key, result.scored_at, result.event_ts, result.ingest_uuid
FROM scoring_result AS result JOIN call USING (call_id)
WHERE call_id = $1 AND result.model_version = $2
"""


class Details(msgspec.Struct, frozen=True):
    """`scoring_result.details`: what a person reads of a result."""

    detail: str | None = None
    breakdown: tuple[BreakdownItem, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened to a call, the record that caused it (topic empty: no record did), and the trace, if it is recorded."""

    at: datetime
    stage: str
    what: str
    status: Status | None
    attempt: int
    topic: str
    partition: int
    offset: int
    detail: str | None
    trace_id: str | None = None


_details = msgspec.json.Decoder(Details)


def enriched_call(row: asyncpg.Record, *, tenant_id: str | None = None) -> EnrichedCall:
    """Return a row of `call` as `calls.enriched` carries it, with another tenant if one is given."""
    return EnrichedCall(
        call_id=row["call_id"],
        tenant_id=tenant_id or row["tenant_id"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        agent_id=row["agent_id"],
        skill=row["skill"],
        service=row["service"],
        switch_call_id=row["switch_call_id"],
        metadata_version=row["metadata_version"],
        event_ts=row["event_ts"],
        ingest_uuid=row["ingest_uuid"],
    )


def audio_ready(row: asyncpg.Record) -> AudioReady:
    """Return a row of `ASSETS` as `audio.ready` carries it."""
    return AudioReady(
        call_id=row["call_id"],
        tenant_id=row["tenant_id"],
        s3_key=row["s3_key"],
        sha256=row["sha256"],
        codec=row["codec"],
        duration=float(row["duration_seconds"]),
        sample_rate=row["sample_rate"],
        channels=row["channels"],
        size_bytes=row["size_bytes"],
        ingest_delay_ms=row["ingest_delay_ms"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        agent_id=row["agent_id"],
        skill=row["skill"],
        service=row["service"],
        switch_call_id=row["switch_call_id"],
        event_ts=row["event_ts"],
        ingest_uuid=row["ingest_uuid"],
    )


def scoring_result(row: asyncpg.Record) -> ScoringResult:
    """Return a row of `RESULT` as `scoring.results` carries it."""
    details = _details.decode(row["details"])
    return ScoringResult(
        call_id=row["call_id"],
        tenant_id=row["tenant_id"],
        outcome=row["outcome"],
        score=None if row["score"] is None else float(row["score"]),
        reason=row["reason"],
        detail=details.detail,
        model_version=row["model_version"],
        asr_model=row["asr_model"],
        latency_ms=row["latency_ms"],
        breakdown=details.breakdown,
        transcript_key=row["transcript_key"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        scored_at=row["scored_at"],
        duration=row["duration_seconds"],
        talk_seconds=row["talk_seconds"],
        agent_id=row["agent_id"],
        skill=row["skill"],
        service=row["service"],
        switch_call_id=row["switch_call_id"],
        event_ts=row["event_ts"],
        ingest_uuid=row["ingest_uuid"],
    )
