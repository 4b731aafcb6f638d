"""What a recording in S3, a missing one or a broken one means for its call (spec section 2.4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.calls import NOW, audio_ready, enriched_call
from tests.unit.stages.made import OUT, facts
from voc_stream.errors import NotThereYetError, OutsideError, RejectedError, TransientError
from voc_stream.events.calls import AudioReady
from voc_stream.stages import download
from voc_stream.stages.changes import At, Downloaded, Errored, Missing, Parked
from voc_stream.stages.outcome import DeadLetter, Ok, Retry
from voc_stream.stages.outside import AudioFacts, Copied
from voc_stream.stages.retry import RetryPolicy

PATIENCE = download.Patience(retry=timedelta(minutes=1), give_up=timedelta(hours=24))
POLICY = RetryPolicy(attempts=5)
PCM = AudioFacts(codec="pcm_s16le", duration=90.25, sample_rate=8000, channels=2)


def copied(audio: AudioFacts | None = PCM, problem: str | None = None, size: int = 2_888_044) -> Copied:
    return Copied(key="raw/2026/11/22/700000000000001.wav", sha256="a" * 64, size=size, facts=audio, problem=problem)


def test_a_recording_becomes_audio_ready_with_what_the_stream_held() -> None:
    call = enriched_call(switch_call_id="switch-1")
    outcome = download.accept(call, copied(), facts(7), OUT)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Downloaded)
    audio = outcome.change.audio
    assert (audio.codec, audio.duration, audio.sample_rate, audio.channels, audio.size_bytes) == ("pcm_s16le", 90.25, 8000, 2, 2_888_044)
    assert (audio.call_id, audio.tenant_id, audio.switch_call_id, audio.agent_id) == (call.call_id, "acme", "switch-1", call.agent_id)
    assert audio.ingest_delay_ms == 120_000
    assert [(publication.topic, publication.key, publication.value) for publication in outcome.out] == [(OUT, call.call_id, audio)]


def test_a_recorder_whose_clock_is_ahead_makes_no_negative_delay() -> None:
    outcome = download.accept(enriched_call(started_at=NOW + timedelta(seconds=5)), copied(), facts(), OUT)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Downloaded)
    assert outcome.change.audio.ingest_delay_ms == 0


def test_what_is_not_audio_is_a_dead_letter_with_its_reason_and_does_not_come_back_by_itself() -> None:
    outcome = download.accept(enriched_call(), copied(None, "it is text"), facts(), OUT)

    assert isinstance(outcome, DeadLetter)
    assert (outcome.error_type, outcome.reason) == ("not_audio", "it is text")
    assert isinstance(outcome.change, Errored)
    assert not outcome.change.retry


def test_an_empty_recording_is_the_scorer_s_to_judge() -> None:
    outcome = download.accept(enriched_call(), copied(AudioFacts(codec="", duration=0, sample_rate=0, channels=0), size=0), facts(), OUT)

    assert isinstance(outcome, Ok)


def test_a_recording_that_is_there_already_is_published_again_under_the_tenant_that_the_call_has_now() -> None:
    call = enriched_call(tenant_id="globex")
    outcome = download.again(call, audio_ready(enriched_call(tenant_id="unassigned")), facts(), OUT)

    assert isinstance(outcome, Ok)
    (publication,) = outcome.out
    assert isinstance(publication.value, AudioReady)
    assert publication.value.tenant_id == "globex"
    assert isinstance(outcome.change, Downloaded)


@pytest.mark.parametrize(
    ("waited", "pause"),
    [
        (timedelta(0), timedelta(minutes=1)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        (timedelta(minutes=10), timedelta(minutes=5)),
        (timedelta(hours=2), timedelta(minutes=30)),
        (timedelta(hours=24) - timedelta(minutes=3), timedelta(minutes=3)),
        (timedelta(hours=24) - timedelta(seconds=1), timedelta(minutes=1)),
    ],
)
def test_a_recording_that_is_not_there_yet_is_parked_and_asked_for_ever_more_rarely(waited: timedelta, pause: timedelta) -> None:
    outcome = download.absent(enriched_call(), NOW - waited, facts(3), PATIENCE)

    assert outcome == Ok(change=Parked("700000000000001", "the recorder has no recording yet", NOW + pause, At(NOW, "in", 0, 3)))


def test_at_the_first_miss_it_is_parked_for_the_shortest_time() -> None:
    outcome = download.absent(enriched_call(), None, facts(), PATIENCE)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Parked)
    assert outcome.change.next_attempt_at == NOW + timedelta(minutes=1)


def test_a_recording_that_did_not_come_within_a_day_of_the_first_miss_is_missing() -> None:
    outcome = download.absent(enriched_call(), NOW - timedelta(hours=24), facts(), PATIENCE)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Missing)
    assert outcome.out == ()
    assert "86400 s" in outcome.change.reason


def test_the_day_counts_from_the_first_miss_and_not_from_the_call() -> None:
    old = enriched_call(started_at=NOW - timedelta(days=30))
    outcome = download.absent(old, None, facts(), PATIENCE)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Parked)


@pytest.mark.parametrize(("attempt", "delay"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0)])
def test_a_failed_attempt_is_repeated_after_1_2_4_and_8_seconds(attempt: int, delay: float) -> None:
    verdict = download.failed(enriched_call(), TransientError("recorder", "the stream broke off"), facts(attempt=attempt), 0.7, POLICY)

    assert verdict == Retry("recorder: the stream broke off", delay)


def test_after_five_attempts_it_is_a_dead_letter_and_the_call_comes_back_by_itself() -> None:
    verdict = download.failed(enriched_call(), TransientError("recorder", "the stream broke off"), facts(attempt=5), 0.7, POLICY)

    assert isinstance(verdict, DeadLetter)
    assert verdict.dependency == "recorder"
    assert "after 5 attempts" in verdict.reason
    assert isinstance(verdict.change, Errored)
    assert (verdict.change.retry, verdict.change.stage, verdict.change.at.attempt) == (True, "download", 5)


@pytest.mark.parametrize("error", [RejectedError("recorder", "it answered 415"), NotThereYetError("s3", "gone")])
def test_what_is_refused_is_a_dead_letter_at_once_and_does_not_come_back_by_itself(error: OutsideError) -> None:
    verdict = download.failed(enriched_call(), error, facts(), 0.7, POLICY)

    if isinstance(error, RejectedError):
        assert isinstance(verdict, DeadLetter)
        assert isinstance(verdict.change, Errored)
        assert not verdict.change.retry
    else:
        assert isinstance(verdict, Retry)
