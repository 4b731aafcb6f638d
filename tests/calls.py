"""Calls on their way through the pipeline, for tests: every value fixed, only what a test is about is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from voc_stream.events.base import derived_id
from voc_stream.events.calls import AudioReady, BreakdownItem, EnrichedCall, Evidence, ScoreOutcome, ScoringResult
from voc_stream.stages.changes import At, Downloaded, Enriched, Errored, Missing, Parked, Scored

STARTED = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
ENDED = STARTED + timedelta(seconds=90)
NOW = STARTED + timedelta(minutes=2)


def at(offset: int = 1, *, topic: str = "calls.raw", attempt: int = 1, time: datetime = NOW) -> At:
    return At(time=time, topic=topic, partition=0, offset=offset, attempt=attempt)


def enriched_call(
    call_id: str = "700000000000001",
    *,
    tenant_id: str = "acme",
    service: str = "acme-support",
    switch_call_id: str = "",
    started_at: datetime = STARTED,
) -> EnrichedCall:
    return EnrichedCall(
        call_id=call_id,
        tenant_id=tenant_id,
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=90),
        agent_id="agent1234",
        skill="billing",
        service=service,
        switch_call_id=switch_call_id,
        event_ts=NOW,
        ingest_uuid=derived_id("calls.enriched", call_id),
    )


def enriched(call: EnrichedCall | None = None, *, customer: str = "", sealed_udfs: str = "", by: At | None = None) -> Enriched:
    return Enriched(call or enriched_call(), customer, sealed_udfs, by or at())


def audio_ready(call: EnrichedCall | None = None, *, sha256: str = "a" * 64) -> AudioReady:
    call = call or enriched_call()
    return AudioReady(
        call_id=call.call_id,
        tenant_id=call.tenant_id,
        s3_key=f"raw/2026/11/22/{call.call_id}.wav",
        sha256=sha256,
        codec="pcm_s16le",
        duration=90.25,
        sample_rate=8000,
        channels=2,
        size_bytes=2_888_044,
        ingest_delay_ms=31_000,
        started_at=call.started_at,
        ended_at=call.ended_at,
        agent_id=call.agent_id,
        skill=call.skill,
        service=call.service,
        switch_call_id=call.switch_call_id,
        event_ts=NOW,
        ingest_uuid=derived_id("audio.ready", call.call_id, sha256),
    )


def downloaded(call: EnrichedCall | None = None, *, by: At | None = None) -> Downloaded:
    return Downloaded(audio_ready(call), by or at(topic="calls.enriched"))


def scoring_result(
    call: EnrichedCall | None = None,
    *,
    outcome: ScoreOutcome = "SCORED",
    score: float | None = 87.25,
    model_version: str = "rubric-1+none",
    duration: float = 90.25,
    talk_seconds: float = 0.0,
    scored_at: datetime = NOW,
) -> ScoringResult:
    call = call or enriched_call()
    scored = outcome == "SCORED"
    return ScoringResult(
        call_id=call.call_id,
        tenant_id=call.tenant_id,
        outcome=outcome,
        score=score if scored else None,
        reason=None if scored else "silent",
        detail=None if scored else "nobody speaks",
        model_version=model_version,
        asr_model="none",
        latency_ms=420,
        breakdown=(
            BreakdownItem(item="greeting", points=8, max_points=10, applicable=True, evidence=(Evidence(quote="good morning", start=0.5, end=1.75),)),
        ),
        transcript_key=None,
        started_at=call.started_at,
        ended_at=call.ended_at,
        scored_at=scored_at,
        duration=duration,
        talk_seconds=talk_seconds,
        agent_id=call.agent_id,
        skill=call.skill,
        service=call.service,
        switch_call_id=call.switch_call_id,
        event_ts=scored_at,
        ingest_uuid=derived_id("scoring.results", call.call_id, model_version),
    )


def scored(result: ScoringResult | None = None, *, by: At | None = None) -> Scored:
    return Scored(result or scoring_result(), by or at(topic="audio.ready"))


def parked(call_id: str, next_attempt_at: datetime, *, by: At | None = None) -> Parked:
    return Parked(call_id, "the recorder has no recording yet", next_attempt_at, by or at(topic="calls.enriched"))


def missing(call_id: str, *, by: At | None = None) -> Missing:
    return Missing(call_id, "the recording never came", by or at(topic="calls.enriched"))


def errored(call_id: str, *, retry: bool = True, by: At | None = None) -> Errored:
    return Errored(call_id, "download", "the stream broke off five times", retry, by or at(topic="calls.enriched"))
