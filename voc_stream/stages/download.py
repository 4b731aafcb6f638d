"""What a recording in S3, a missing one or a broken one means for its call (spec section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from voc_stream.errors import OutsideError
from voc_stream.events.calls import AudioReady, EnrichedCall
from voc_stream.stages.changes import At, Downloaded, Errored, Missing, Parked
from voc_stream.stages.outcome import DeadLetter, Facts, Ok, Outcome, Publication, Retry
from voc_stream.stages.outside import Copied
from voc_stream.stages.retry import RetryPolicy

STAGE = "download"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a recording may stay away: asked for again after `retry` at first, ever more rarely up to `longest`, given up after `give_up`."""

    retry: timedelta
    give_up: timedelta
    longest: timedelta = timedelta(minutes=30)

    def pause(self, waited: timedelta) -> timedelta:
        """Return the time until the next attempt: half of what was waited already, within the bounds."""
        return min(max(self.retry, waited / 2), max(self.retry, self.longest), max(self.retry, self.give_up - waited))


def accept(call: EnrichedCall, got: Copied, facts: Facts, topic: str) -> Outcome:
    """Judge a recording that was copied; what is not audio is a dead letter, an empty one is the scorer's to judge."""
    if got.facts is None:
        reason = got.problem or "not audio"
        return DeadLetter("not_audio", reason, change=Errored(call.call_id, STAGE, reason, retry=False, at=_at(facts)))
    delay = max(timedelta(0), facts.now - call.started_at)
    audio = AudioReady(
        event_ts=call.event_ts,
        ingest_uuid=call.ingest_uuid,
        call_id=call.call_id,
        tenant_id=call.tenant_id,
        s3_key=got.key,
        sha256=got.sha256,
        codec=got.facts.codec,
        duration=round(got.facts.duration, 2),
        sample_rate=got.facts.sample_rate,
        channels=got.facts.channels,
        size_bytes=got.size,
        ingest_delay_ms=int(delay / timedelta(milliseconds=1)),
        started_at=call.started_at,
        ended_at=call.ended_at,
        agent_id=call.agent_id,
        skill=call.skill,
        service=call.service,
        switch_call_id=call.switch_call_id,
    )
    return Ok(change=Downloaded(audio, _at(facts)), out=(Publication(topic, call.call_id, audio),))


def again(call: EnrichedCall, stored: AudioReady, facts: Facts, topic: str) -> Outcome:
    """Publish what is stored already, under the tenant that the call has now."""
    audio = msgspec.structs.replace(stored, tenant_id=call.tenant_id)
    return Ok(change=Downloaded(audio, _at(facts)), out=(Publication(topic, call.call_id, audio),))


def absent(call: EnrichedCall, first_missing_at: datetime | None, facts: Facts, patience: Patience) -> Outcome:
    """Park a call whose recording is not there yet, or give it up as MISSING."""
    since = first_missing_at or facts.now
    if facts.now - since >= patience.give_up:
        reason = f"the recorder had no recording for {(facts.now - since).total_seconds():.0f} s"
        return Ok(change=Missing(call.call_id, reason, _at(facts)))
    reason = "the recorder has no recording yet"
    return Ok(change=Parked(call.call_id, reason, facts.now + patience.pause(facts.now - since), _at(facts)))


def failed(call: EnrichedCall, error: OutsideError, facts: Facts, chance: float, policy: RetryPolicy) -> Retry | DeadLetter:
    """Judge a failed attempt: 1, 2, 4, 8 s between five of them, then a dead letter and ERROR, which heals by itself while re-drives remain."""
    verdict = policy.after(error, facts.attempt, chance)
    if isinstance(verdict, Retry):
        return verdict
    exhausted = verdict.dependency is not None
    return replace(verdict, change=Errored(call.call_id, STAGE, verdict.reason, retry=exhausted, at=_at(facts)))


def _at(facts: Facts) -> At:
    return At(facts.now, facts.topic, facts.partition, facts.offset, facts.attempt, facts.trace_id)
