"""One call's score: known already, or asked of the scoring API (spec section 2.5)."""

from __future__ import annotations

import msgspec
import pytest

from tests.calls import audio_ready, downloaded, enriched, enriched_call, scored, scoring_result
from tests.fakes.call_store import FakeCallStore
from tests.fakes.object_store import FakeObjectStore
from tests.fakes.privacy import FakePrivacy
from tests.fakes.scoring import FakeScoring
from tests.unit.services.made import facts, limit, settings
from voc_stream.clients.call_privacy import Standing
from voc_stream.clients.scoring_wire import ScoreReply
from voc_stream.errors import OutsideError, RejectedError, TransientError
from voc_stream.events.calls import AudioReady, ScoringResult, Transcript
from voc_stream.nlp.redaction import Redactor
from voc_stream.services.judge import Judge
from voc_stream.stages.changes import Scored
from voc_stream.stages.outcome import DeadLetter, Drop, Ok, Outcome, Retry

WAV = b"RIFF" + bytes(200_000)
CALL = "700000000000001"


class Scene:
    def __init__(self) -> None:
        self.store, self.objects, self.scoring = FakeCallStore(), FakeObjectStore(), FakeScoring()
        self.privacy = FakePrivacy()
        self.judge = Judge(
            store=self.store,  # type: ignore[arg-type]
            objects=self.objects,  # type: ignore[arg-type]
            scoring=self.scoring,  # type: ignore[arg-type]
            privacy=self.privacy,  # type: ignore[arg-type]
            redactor=Redactor(),
            places=limit("scorer", 4),
            settings=settings(),
            topic="out",
        )

    async def store_recording(self, audio: AudioReady, data: bytes = WAV) -> None:
        await self.objects.put_bytes(audio.s3_key, data, content_type="audio/wav", metadata={}, tags={})


def result_of(outcome: Outcome) -> ScoringResult:
    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Scored)
    return outcome.change.result


@pytest.mark.parametrize("seconds", [90.25, 5.0])
async def test_a_recording_is_scored_with_all_its_bytes_and_its_expected_length(seconds: float) -> None:
    scene = Scene()
    audio = msgspec.structs.replace(audio_ready(), duration=seconds, size_bytes=len(WAV))
    await scene.store_recording(audio)
    result = result_of(await scene.judge.score(audio, facts()))
    ((request, data),) = scene.scoring.asked

    assert (result.outcome, result.score, result.talk_seconds) == ("SCORED", 87.25, 12.0)
    assert (request.call_id, request.tenant_id, request.expected_seconds) == (CALL, "acme", 90.0)
    assert data == WAV


async def test_the_transcript_lies_in_s3_under_the_call_s_day_before_the_result_is_told() -> None:
    scene = Scene()
    await scene.store_recording(audio_ready())
    result = result_of(await scene.judge.score(audio_ready(), facts()))

    assert result.transcript_key == f"transcripts/2026/11/22/{CALL}_whisper-tiny.en.json"
    stored = scene.objects.objects[result.transcript_key]
    assert msgspec.json.decode(stored.data, type=Transcript).turns[0].text == "Hello, how can I help you?"
    assert stored.content_type == "application/json"


async def test_a_call_that_cannot_be_scored_keeps_its_reason_and_has_no_transcript() -> None:
    scene = Scene()
    await scene.store_recording(audio_ready(), b"")
    result = result_of(await scene.judge.score(audio_ready(), facts()))

    assert (result.outcome, result.score, result.reason, result.transcript_key) == ("NOT_SCORABLE", None, "empty", None)


async def test_what_this_model_scored_before_is_not_asked_again() -> None:
    scene = Scene()
    known = scoring_result(model_version=scene.scoring.version)
    await scene.store.apply([enriched(enriched_call(tenant_id="unassigned")), downloaded(), scored(known)])
    result = result_of(await scene.judge.score(audio_ready(enriched_call(tenant_id="globex")), facts()))

    assert scene.scoring.asked == []
    assert (result.score, result.tenant_id, result.scored_at) == (known.score, "globex", known.scored_at)


async def test_a_newer_model_scores_it_anew() -> None:
    scene = Scene()
    await scene.store.apply([enriched(), downloaded(), scored(scoring_result(model_version="rubric-0+none"))])
    await scene.store_recording(audio_ready())
    result = result_of(await scene.judge.score(audio_ready(), facts()))

    assert result.model_version == scene.scoring.version


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("score", TransientError("scorer", "it answered 500")),
        ("model_version", TransientError("scorer", "it answered 500")),
        ("open_object", TransientError("s3", "it answered 500")),
        ("put_bytes", TransientError("s3", "it answered 500")),
    ],
)
async def test_a_fault_of_the_outside_is_the_runtime_s_to_handle(method: str, error: OutsideError) -> None:
    scene = Scene()
    await scene.store_recording(audio_ready())
    (scene.scoring if method in {"score", "model_version"} else scene.objects).fail_next(method, error)
    with pytest.raises(TransientError):
        await scene.judge.score(audio_ready(), facts())


async def test_a_recording_that_the_scorer_refuses_is_refused() -> None:
    scene = Scene()
    await scene.store_recording(audio_ready(), b"a text")
    with pytest.raises(RejectedError, match="not audio"):
        await scene.judge.score(audio_ready(), facts())


async def test_a_short_call_whose_recording_is_large_is_streamed() -> None:
    scene = Scene()
    audio = msgspec.structs.replace(audio_ready(), duration=5.0, size_bytes=100 << 20)
    await scene.store_recording(audio)
    scene.scoring.fail_next("score_batch", TransientError("scorer", "never asked"))

    assert result_of(await scene.judge.score(audio, facts())).outcome == "SCORED"


async def test_a_short_call_s_own_reply_is_its_own() -> None:
    scene = Scene()
    audio = msgspec.structs.replace(audio_ready(), duration=2.0, size_bytes=len(WAV))
    await scene.store_recording(audio)
    scene.scoring.answers[CALL] = ScoreReply(
        call_id=CALL, outcome="NOT_SCORABLE", reason="too_short", detail="It is too short.", model_version="m", asr_model="none"
    )

    assert result_of(await scene.judge.score(audio, facts())).reason == "too_short"


def test_scoring_has_three_attempts() -> None:
    judge = Scene().judge
    error = TransientError("scorer", "it answered 500")
    verdicts = [judge.failed(audio_ready(), error, facts(attempt=attempt), 1.0) for attempt in (1, 2, 3)]

    assert [type(verdict) for verdict in verdicts] == [Retry, Retry, DeadLetter]


async def test_words_are_redacted_wherever_they_go_and_kept_as_they_were_said() -> None:
    scene = Scene()
    scene.privacy.people = ["Hello World"]
    await scene.store_recording(audio_ready())
    result = result_of(await scene.judge.score(audio_ready(), facts()))
    assert result.transcript_key is not None
    stored = msgspec.json.decode(scene.objects.objects[result.transcript_key].data, type=Transcript)
    assert stored.turns[0].text == "[name], how can I help you?"
    original = msgspec.json.decode(scene.privacy.originals[CALL], type=Transcript)
    assert original.turns[0].text == "Hello, how can I help you?"
    assert (stored.turns[0].start, stored.turns[0].end) == (original.turns[0].start, original.turns[0].end)


async def test_a_call_that_must_not_be_scored_is_heard_by_nobody_and_says_why() -> None:
    scene = Scene()
    scene.privacy.known[CALL] = Standing(do_not_score="the customer objected")
    result = result_of(await scene.judge.score(audio_ready(), facts()))
    assert (result.outcome, result.reason, result.detail, result.score) == ("NOT_SCORABLE", "do_not_score", "the customer objected", None)
    assert scene.scoring.asked == []
    assert scene.objects.puts == []


async def test_a_forgotten_call_leaves_no_trace_whether_before_or_while_it_is_heard() -> None:
    scene = Scene()
    scene.privacy.known[CALL] = Standing(forgotten=True)
    assert await scene.judge.score(audio_ready(), facts()) == Drop("forgotten")
    scene.privacy.known.clear()
    scene.privacy.gone.add(CALL)
    await scene.store_recording(audio_ready())
    assert await scene.judge.score(audio_ready(), facts()) == Drop("forgotten")
    assert scene.objects.puts == [audio_ready().s3_key]
