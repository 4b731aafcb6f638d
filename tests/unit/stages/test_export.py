"""What the rest of the house gets of a result (spec section 2.6)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.calls import enriched_call, scoring_result
from tests.unit.stages.made import OUT, facts
from voc_stream.errors import OutsideError, RejectedError, TransientError
from voc_stream.events.base import derived_id, encode
from voc_stream.events.calls import ScoringResult, Transcript, Turn
from voc_stream.events.voc import CallEvent
from voc_stream.stages.changes import Errored, Exported
from voc_stream.stages.export import call_event, export, failed, read_transcript, wants_transcript
from voc_stream.stages.outcome import DeadLetter, Ok, Retry
from voc_stream.stages.retry import RetryPolicy
from voc_stream.topics import MAX_MESSAGE_BYTES

SAID = Transcript(
    turns=(Turn(speaker="agent", start=0.4, end=2.1, text="Hello, how can I help?"), Turn(speaker="customer", start=2.5, end=4.0, text="My bill."))
)


def with_transcript(result: ScoringResult) -> ScoringResult:
    return msgspec.structs.replace(result, transcript_key="transcripts/2026/11/22/7_x.json")


def test_a_scored_call_becomes_a_call_event_with_its_turns() -> None:
    result = with_transcript(scoring_result())
    event = call_event(result, SAID)

    assert (event.tenant_id, event.call_id, event.agent_id, event.timestamp) == ("acme", result.call_id, "agent1234", result.ended_at)
    assert event.turns == SAID.turns
    assert event.transcript == "Hello, how can I help? My bill."
    kept = {"transcript_key": result.transcript_key, "asr_model": "none", "switch_call_id": result.switch_call_id}
    assert event.metadata == kept | {"transcript_cut": False}


def test_the_event_says_its_type_on_the_wire() -> None:
    assert msgspec.json.decode(encode(call_event(scoring_result(), SAID)))["event_type"] == "call"


def test_a_re_score_gives_the_same_event_id() -> None:
    first, second = (call_event(scoring_result(model_version=version), SAID) for version in ("rubric-1+none", "rubric-2+none"))

    assert first.event_id == second.event_id == str(derived_id("acme", "700000000000001"))


def test_another_tenant_s_call_has_another_event_id() -> None:
    assert call_event(scoring_result(enriched_call(tenant_id="globex")), SAID).event_id != str(derived_id("acme", "700000000000001"))


def test_an_exported_result_is_told_and_its_event_published() -> None:
    result = with_transcript(scoring_result())
    outcome = export(result, SAID, facts(), OUT)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Exported)
    assert [(publication.topic, publication.key) for publication in outcome.out] == [(OUT, result.call_id)]


@pytest.mark.parametrize(
    "result",
    [
        scoring_result(outcome="NOT_SCORABLE"),
        scoring_result(),
        with_transcript(scoring_result(enriched_call(tenant_id="unassigned"))),
        with_transcript(scoring_result(outcome="NOT_SCORABLE")),
    ],
)
def test_without_a_transcript_a_score_or_a_tenant_there_is_no_event(result: ScoringResult) -> None:
    assert not wants_transcript(result)
    outcome = export(result, None, facts(), OUT)

    assert isinstance(outcome, Ok)
    assert outcome.out == ()


def test_an_unassigned_call_has_no_event_even_with_a_transcript() -> None:
    outcome = export(with_transcript(scoring_result(enriched_call(tenant_id="unassigned"))), SAID, facts(), OUT)

    assert isinstance(outcome, Ok)
    assert outcome.out == ()


def test_a_transcript_is_read_as_it_was_stored() -> None:
    assert read_transcript(msgspec.json.encode(SAID)) == SAID
    with pytest.raises(msgspec.DecodeError):
        read_transcript(b'{"turns": 7}')


@given(
    text=st.text(min_size=1, max_size=40) | st.sampled_from(["\x01\x02", '"\\', "ü", "漢字", "😀"]),
    times=st.integers(1, 3000),
    turns=st.integers(1, 300),
)
def test_however_long_the_transcript_the_event_fits_into_a_message(text: str, times: int, turns: int) -> None:
    said = Transcript(turns=tuple(Turn(speaker="customer", start=at, end=at + 0.25, text=text * times) for at in range(turns)))
    event = call_event(scoring_result(), said)

    assert len(encode(event)) < MAX_MESSAGE_BYTES
    assert event.turns == said.turns[: len(event.turns or ())]
    assert event.metadata is not None
    assert event.metadata["transcript_cut"] == (len(event.turns) < turns)


def test_many_short_turns_are_cut_too() -> None:
    said = Transcript(turns=tuple(Turn(speaker="customer", start=at + 0.123456789, end=at + 0.987654321, text="ja") for at in range(30_000)))
    event = call_event(scoring_result(), said)

    assert len(encode(event)) < MAX_MESSAGE_BYTES
    assert isinstance(event, CallEvent)
    assert event.turns


POLICY = RetryPolicy(attempts=5)


def test_a_failed_attempt_is_repeated() -> None:
    assert isinstance(failed(scoring_result(), TransientError("clickhouse", "time-out"), facts(attempt=4), 0.5, POLICY), Retry)


@pytest.mark.parametrize(
    ("error", "comes_back"),
    [(TransientError("clickhouse", "time-out"), True), (RejectedError("s3", "the transcript cannot be read"), False)],
    ids=["attempts that ran out", "refused"],
)
def test_an_export_that_is_given_up_puts_the_call_in_error(error: OutsideError, *, comes_back: bool) -> None:
    verdict = failed(scoring_result(), error, facts(attempt=5), 0.5, POLICY)

    assert isinstance(verdict, DeadLetter)
    assert isinstance(verdict.change, Errored)
    assert (verdict.change.stage, verdict.change.retry, verdict.change.reason) == ("export", comes_back, verdict.reason)
