"""One call's score: known already, or asked of the scoring API while S3 is still being read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from voc_stream.clients.call_privacy import CallPrivacy
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.scoring import ScoringClient
from voc_stream.clients.scoring_wire import ScoreReply, ScoreRequest
from voc_stream.errors import OutsideError
from voc_stream.events.calls import AudioReady
from voc_stream.nlp.redaction import Names, Redactor
from voc_stream.runtime import metrics
from voc_stream.runtime.limit import Limit
from voc_stream.services.short_calls import ShortCalls
from voc_stream.settings import Settings
from voc_stream.stages import score
from voc_stream.stages.keys import transcript_key
from voc_stream.stages.outcome import DeadLetter, Drop, Facts, Ok, Outcome, Retry
from voc_stream.stages.redact import redacted_breakdown, redacted_transcript
from voc_stream.stages.retry import RetryPolicy
from voc_stream.tracing.current import told_as

# A short call is held in memory while it waits for its batch; what claims to be short and is larger streams like any other.
LARGEST_SHORT_CALL = 4 << 20
FORGOTTEN = "forgotten"
# Latency is compared by the second of recording; what a call costs whatever its length counts as so many seconds.
_EACH_SECONDS = 10.0


class Judge:
    """Scores a recording, once per model version; no more at a time than `places` has.

    What the scorer says is redacted before it goes anywhere: the transcript in S3, quotes and sentences. As it was said it is kept sealed.
    """

    def __init__(
        self,
        *,
        store: CallStore,
        objects: ObjectStore,
        scoring: ScoringClient,
        privacy: CallPrivacy,
        redactor: Redactor,
        places: Limit,
        settings: Settings,
        topic: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._objects = objects
        self._scoring = scoring
        self._privacy = privacy
        self._redactor = redactor
        self._places = places
        self._policy = RetryPolicy(attempts=settings.scoring_attempts, jitter=0.5)
        self._topic = topic
        self._now = now
        self._short = ShortCalls(scoring, settings.scoring_batch_size)
        self._short_below = settings.scoring_batch_below_seconds

    async def score(self, audio: AudioReady, facts: Facts) -> Outcome:
        """Return what the scoring came to.

        Raises:
            OutsideError: scorer, S3 or PostgreSQL failed.
        """
        standing = await self._privacy.standing(audio)
        if standing.forgotten:
            return Drop(FORGOTTEN)
        if standing.do_not_score is not None:
            return score.withheld(audio, standing.do_not_score, facts, self._topic)
        stored = await self._store.result(audio.call_id, await self._scoring.model_version())
        if stored is not None:
            return score.again(audio, stored, facts, self._topic)
        expected = (audio.ended_at - audio.started_at).total_seconds()
        request = ScoreRequest(call_id=audio.call_id, tenant_id=audio.tenant_id, expected_seconds=expected)
        async with self._places.place(per=_EACH_SECONDS + audio.duration):
            began = time.monotonic()
            reply = await self._ask(request, audio)
            latency_ms = int((time.monotonic() - began) * 1000)
        if not await self._keep_original(audio, reply):
            return Drop(FORGOTTEN)
        reply = await self._redacted(audio, reply)
        key = await self._keep_transcript(audio, reply)
        if key is not None and (await self._privacy.standing(audio)).forgotten:
            await self._objects.delete_versions([key])
            return Drop(FORGOTTEN)
        outcome = score.accept(audio, _verdict(reply, latency_ms, key), replace(facts, now=self._now()), self._topic)
        if isinstance(outcome, Ok):
            self._measure(audio, reply, latency_ms)
        return outcome

    def failed(self, audio: AudioReady, error: OutsideError, facts: Facts, chance: float) -> Retry | DeadLetter:
        """Judge a failed attempt."""
        return score.failed(audio, error, facts, chance, self._policy)

    @told_as("scoring")
    async def _ask(self, request: ScoreRequest, audio: AudioReady) -> ScoreReply:
        if audio.duration < self._short_below and audio.size_bytes <= LARGEST_SHORT_CALL:
            return await self._short.score(request, await self._objects.get_bytes(audio.s3_key, LARGEST_SHORT_CALL))
        async with self._objects.open_object(audio.s3_key) as recording:
            return await self._scoring.score(request, recording.chunks())

    async def _keep_original(self, audio: AudioReady, reply: ScoreReply) -> bool:
        """Return whether the call is still to be worked on: it may have been forgotten while it was heard."""
        if reply.transcript is None or reply.outcome != "SCORED":
            return True
        return await self._privacy.keep_original(audio.call_id, msgspec.json.encode(reply.transcript))

    async def _redacted(self, audio: AudioReady, reply: ScoreReply) -> ScoreReply:
        names = Names(await self._privacy.names(audio.call_id, audio.agent_id))

        def redacted() -> ScoreReply:
            return msgspec.structs.replace(
                reply,
                detail=None if reply.detail is None else self._redactor.redact(reply.detail, names),
                breakdown=redacted_breakdown(reply.breakdown, self._redactor, names),
                transcript=None if reply.transcript is None else redacted_transcript(reply.transcript, self._redactor, names),
            )

        # An hour's talk takes a tenth of a second.
        return await asyncio.to_thread(redacted)

    async def _keep_transcript(self, audio: AudioReady, reply: ScoreReply) -> str | None:
        if reply.transcript is None or reply.outcome != "SCORED":
            return None
        key = transcript_key(audio.call_id, reply.asr_model, audio.started_at)
        tags = {"call_id": audio.call_id, "agent_id": audio.agent_id}
        await self._objects.put_bytes(key, msgspec.json.encode(reply.transcript), content_type="application/json", metadata={}, tags=tags)
        return key

    def _measure(self, audio: AudioReady, reply: ScoreReply, latency_ms: int) -> None:
        metrics.SCORING_LATENCY.observe(latency_ms)
        metrics.SCORING_TOTAL.observe((self._now() - audio.started_at).total_seconds())
        metrics.SCORED.labels(reply.outcome, reply.reason or "").inc()


def _verdict(reply: ScoreReply, latency_ms: int, key: str | None) -> score.Verdict:
    return score.Verdict(
        outcome=reply.outcome,
        score=reply.score,
        reason=reply.reason,
        detail=reply.detail,
        model_version=reply.model_version,
        asr_model=reply.asr_model,
        breakdown=reply.breakdown,
        latency_ms=latency_ms,
        talk_seconds=round(sum(reply.audio.talk_seconds.values()), 2) if reply.audio else 0.0,
        transcript_key=key,
    )
