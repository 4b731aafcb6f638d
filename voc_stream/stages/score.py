"""What the scorer's answer means for a call (spec section 2.5)."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from voc_stream.errors import OutsideError
from voc_stream.events.calls import AudioReady, BreakdownItem, ScoreOutcome, ScoringResult
from voc_stream.stages.changes import At, Errored, Scored
from voc_stream.stages.outcome import DeadLetter, Facts, Ok, Outcome, Publication, Retry
from voc_stream.stages.retry import RetryPolicy

STAGE = "score"
DO_NOT_SCORE = "do_not_score"
# In the place of the models of a call that nobody may hear.
_NOBODY = "none"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What of the scorer's answer goes on; the transcript is in S3 by then."""

    outcome: ScoreOutcome
    score: float | None
    reason: str | None
    detail: str | None
    model_version: str
    asr_model: str
    breakdown: tuple[BreakdownItem, ...]
    latency_ms: int
    talk_seconds: float
    transcript_key: str | None


def accept(audio: AudioReady, verdict: Verdict, facts: Facts, topic: str) -> Outcome:
    """Return the result; a call that cannot be scored keeps its reason and has no score, never 0."""
    result = ScoringResult(
        event_ts=audio.event_ts,
        ingest_uuid=audio.ingest_uuid,
        call_id=audio.call_id,
        tenant_id=audio.tenant_id,
        outcome=verdict.outcome,
        score=verdict.score if verdict.outcome == "SCORED" else None,
        reason=verdict.reason,
        detail=verdict.detail,
        model_version=verdict.model_version,
        asr_model=verdict.asr_model,
        latency_ms=verdict.latency_ms,
        breakdown=verdict.breakdown,
        transcript_key=verdict.transcript_key,
        started_at=audio.started_at,
        ended_at=audio.ended_at,
        scored_at=facts.now,
        duration=audio.duration,
        talk_seconds=verdict.talk_seconds,
        agent_id=audio.agent_id,
        skill=audio.skill,
        service=audio.service,
        switch_call_id=audio.switch_call_id,
    )
    return _passed(result, facts, topic)


def withheld(audio: AudioReady, reason: str, facts: Facts, topic: str) -> Outcome:
    """Return the final state of a call that must be neither transcribed nor scored: NOT_SCORABLE, with the reason that was given."""
    verdict = Verdict(
        outcome="NOT_SCORABLE",
        score=None,
        reason=DO_NOT_SCORE,
        detail=reason,
        model_version=_NOBODY,
        asr_model=_NOBODY,
        breakdown=(),
        latency_ms=0,
        talk_seconds=0.0,
        transcript_key=None,
    )
    return accept(audio, verdict, facts, topic)


def again(audio: AudioReady, stored: ScoringResult, facts: Facts, topic: str) -> Outcome:
    """Publish the result that this model version gave before, under the tenant that the call has now."""
    return _passed(msgspec.structs.replace(stored, tenant_id=audio.tenant_id), facts, topic)


def failed(audio: AudioReady, error: OutsideError, facts: Facts, chance: float, policy: RetryPolicy) -> Retry | DeadLetter:
    """Judge a failed attempt: three with jitter, then a dead letter and ERROR."""
    verdict = policy.after(error, facts.attempt, chance)
    if isinstance(verdict, Retry):
        return verdict
    return replace(verdict, change=Errored(audio.call_id, STAGE, verdict.reason, retry=verdict.dependency is not None, at=_at(facts)))


def _passed(result: ScoringResult, facts: Facts, topic: str) -> Outcome:
    return Ok(change=Scored(result, _at(facts)), out=(Publication(topic, result.call_id, result),))


def _at(facts: Facts) -> At:
    return At(facts.now, facts.topic, facts.partition, facts.offset, facts.attempt, facts.trace_id)
