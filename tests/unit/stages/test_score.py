"""What the scorer's answer means for a call (spec section 2.5)."""

from __future__ import annotations

import pytest

from tests.calls import NOW, audio_ready, enriched_call, scoring_result
from tests.unit.stages.made import OUT, facts
from voc_stream.errors import RejectedError, TransientError
from voc_stream.events.calls import BreakdownItem, ScoreOutcome, ScoringResult
from voc_stream.stages import score
from voc_stream.stages.changes import Errored, Scored
from voc_stream.stages.outcome import DeadLetter, Ok, Retry
from voc_stream.stages.retry import RetryPolicy

POLICY = RetryPolicy(attempts=3, jitter=0.5)
GREETING = BreakdownItem(item="greeting", points=8, max_points=10, applicable=True)


def verdict(outcome: ScoreOutcome = "SCORED", number: float | None = 87.25, reason: str | None = None) -> score.Verdict:
    return score.Verdict(
        outcome=outcome,
        score=number,
        reason=reason,
        detail=None,
        model_version="rubric-1+whisper-tiny.en",
        asr_model="whisper-tiny.en",
        breakdown=(GREETING,),
        latency_ms=420,
        talk_seconds=61.5,
        transcript_key="transcripts/2026/11/22/7_whisper-tiny.en.json",
    )


def result_of(outcome: object) -> ScoringResult:
    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Scored)
    (publication,) = outcome.out
    assert (publication.topic, publication.key) == (OUT, outcome.change.result.call_id)
    assert publication.value == outcome.change.result
    return outcome.change.result


def test_a_score_is_kept_with_its_breakdown_its_model_and_what_the_call_is() -> None:
    result = result_of(score.accept(audio_ready(enriched_call(switch_call_id="switch-1")), verdict(), facts(), OUT))

    assert (result.outcome, result.score, result.breakdown) == ("SCORED", 87.25, (GREETING,))
    assert (result.model_version, result.latency_ms, result.scored_at) == ("rubric-1+whisper-tiny.en", 420, NOW)
    assert (result.switch_call_id, result.duration, result.talk_seconds, result.skill) == ("switch-1", 90.25, 61.5, "billing")


@pytest.mark.parametrize("number", [None, 0.0, 50.0])
def test_a_call_that_cannot_be_scored_keeps_its_reason_and_has_no_score_never_0(number: float | None) -> None:
    result = result_of(score.accept(audio_ready(), verdict("NOT_SCORABLE", number, "silent"), facts(), OUT))

    assert (result.outcome, result.score, result.reason) == ("NOT_SCORABLE", None, "silent")


def test_a_result_that_is_there_already_is_published_again_under_the_tenant_that_the_call_has_now() -> None:
    stored = scoring_result(enriched_call(tenant_id="unassigned"))
    result = result_of(score.again(audio_ready(enriched_call(tenant_id="globex")), stored, facts(), OUT))

    assert result.tenant_id == "globex"
    assert result.scored_at == stored.scored_at


def test_two_failed_attempts_are_repeated_with_jitter_and_the_third_is_a_dead_letter() -> None:
    error = TransientError("scorer", "it answered 500")
    verdicts = [score.failed(audio_ready(), error, facts(attempt=attempt), 1.0, POLICY) for attempt in (1, 2, 3)]

    assert [each.delay for each in verdicts if isinstance(each, Retry)] == [0.5, 1.0]
    last = verdicts[2]
    assert isinstance(last, DeadLetter)
    assert last.dependency == "scorer"
    assert isinstance(last.change, Errored)
    assert (last.change.retry, last.change.stage) == (True, "score")


def test_what_the_scorer_refuses_is_a_dead_letter_at_once_with_its_sentence() -> None:
    last = score.failed(audio_ready(), RejectedError("scorer", "it answered 415: The file is not audio."), facts(), 0.0, POLICY)

    assert isinstance(last, DeadLetter)
    assert "The file is not audio." in last.reason
    assert isinstance(last.change, Errored)
    assert not last.change.retry
