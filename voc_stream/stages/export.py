"""What of a result the rest of the house gets: a row in ClickHouse and a `call` event for `voc.calls` (spec section 2.6)."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from voc_stream.errors import OutsideError
from voc_stream.events.base import derived_id
from voc_stream.events.calls import UNASSIGNED, ScoringResult, Transcript, Turn
from voc_stream.events.voc import CallEvent
from voc_stream.stages.changes import EXPORT, At, Errored, Exported
from voc_stream.stages.outcome import DeadLetter, Facts, Ok, Outcome, Publication, Retry
from voc_stream.stages.retry import RetryPolicy

# The JSON of a call event's turns and of its text, in bytes; with what else the event holds the record stays under Kafka's 1 MB.
MOST_BYTES = 900_000


def call_event(result: ScoringResult, transcript: Transcript) -> CallEvent:
    """Return the customer event of a scored call; a re-score gives the same `event_id`."""
    turns, cut = _within_bounds(transcript.turns)
    return CallEvent(
        event_ts=result.event_ts,
        ingest_uuid=result.ingest_uuid,
        event_id=str(derived_id(result.tenant_id, result.call_id)),
        tenant_id=result.tenant_id,
        timestamp=result.ended_at,
        metadata={
            "transcript_key": result.transcript_key,
            "asr_model": result.asr_model,
            "transcript_cut": cut,
            "switch_call_id": result.switch_call_id,
        },
        call_id=result.call_id,
        agent_id=result.agent_id,
        duration=result.duration,
        transcript=" ".join(turn.text for turn in turns),
        language=transcript.language,
        turns=turns,
    )


def export(result: ScoringResult, transcript: Transcript | None, facts: Facts, topic: str) -> Outcome:
    """Return the outcome of a result that ClickHouse has; without a transcript, or without a tenant yet, there is no customer event."""
    at = At(facts.now, facts.topic, facts.partition, facts.offset, facts.attempt, facts.trace_id)
    change = Exported(result.call_id, result.model_version, at)
    if transcript is None or result.tenant_id == UNASSIGNED:
        return Ok(change=change)
    event = call_event(result, transcript)
    return Ok(change=change, out=(Publication(topic, result.call_id, event),))


def failed(result: ScoringResult, error: OutsideError, facts: Facts, chance: float, policy: RetryPolicy) -> Retry | DeadLetter:
    """Judge a failed attempt: after the last one a dead letter and ERROR, which heals by itself while re-drives remain."""
    verdict = policy.after(error, facts.attempt, chance)
    if isinstance(verdict, Retry):
        return verdict
    at = At(facts.now, facts.topic, facts.partition, facts.offset, facts.attempt, facts.trace_id)
    return replace(verdict, change=Errored(result.call_id, EXPORT, verdict.reason, retry=verdict.dependency is not None, at=at))


def wants_transcript(result: ScoringResult) -> bool:
    """Whether the result leads to a customer event."""
    return result.outcome == "SCORED" and result.transcript_key is not None and result.tenant_id != UNASSIGNED


def read_transcript(data: bytes) -> Transcript:
    """Read a transcript as `score` stored it.

    Raises:
        msgspec.DecodeError: it is not one.
    """
    return msgspec.json.decode(data, type=Transcript)


def _within_bounds(turns: tuple[Turn, ...]) -> tuple[tuple[Turn, ...], bool]:
    kept: list[Turn] = []
    size = 0
    for turn in turns:
        # Once as a turn, once in the text of the whole call.
        size += len(msgspec.json.encode(turn)) + len(msgspec.json.encode(turn.text))
        if size > MOST_BYTES:
            return tuple(kept), True
        kept.append(turn)
    return tuple(kept), False
