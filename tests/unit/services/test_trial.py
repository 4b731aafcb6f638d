"""What today's code and settings say of a record, for each topic that a stage reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.calls import ENDED, STARTED, audio_ready, enriched_call, scoring_result
from tests.unit.stages.made import raw_call
from tests.voc import action_value
from voc_stream import topics
from voc_stream.events.base import encode
from voc_stream.services.trial import Standing, Trials, standing
from voc_stream.settings import Settings
from voc_stream.stages.outcome import DeadLetter, Drop, Facts, Ok, Outcome
from voc_stream.stages.tenants import TenantMap
from voc_stream.topics import all_topics

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GOOD = {
    topics.CALLS_POLLED: encode(raw_call()),
    topics.CALLS_RAW: encode(raw_call()),
    topics.CALLS_ENRICHED: encode(enriched_call()),
    topics.AUDIO_READY: encode(audio_ready()),
    topics.SCORING_RESULTS: encode(scoring_result()),
    topics.VOC_CALLS: action_value(timestamp=NOW),
    topics.VOC_ACTIONS: action_value(timestamp=NOW),
    topics.VOC_METRICS: action_value(timestamp=NOW),
    topics.VOC_OVERFLOW: action_value(timestamp=NOW),
}


def tried(topic: str, value: bytes | None, *, tenants: Callable[[], TenantMap] = TenantMap, strict: bool = False) -> Outcome:
    settings = Settings(tenants_strict=strict, tenants_file=Path("tenants.toml")) if strict else Settings()
    return Trials(settings, tenants).outcome(value, Facts(NOW, topic, 0, 1))


def test_every_topic_that_has_dead_letters_of_a_stage_can_be_tried() -> None:
    consumed = {topic.name for topic in all_topics(Settings()) if topic.consumed} - {topics.MODEL_VERSION_UPDATED}
    assert Trials(Settings(), TenantMap).topics == consumed == set(GOOD)


@pytest.mark.parametrize("topic", GOOD)
def test_a_good_record_passes_and_one_that_is_none_fails_for_its_reason_of_today(topic: str) -> None:
    assert isinstance(tried(topic, GOOD[topic]), Ok)
    for value in (None, b"", b"{", b"\xff", b"[]", b'{"call_id": 7}'):
        outcome = tried(topic, value)
        assert isinstance(outcome, DeadLetter)
        assert outcome.error_type == "malformed"


def test_a_call_that_ends_before_it_starts_fails_as_enrich_says() -> None:
    outcome = tried(topics.CALLS_RAW, encode(raw_call(started_at=ENDED, ended_at=STARTED)))
    assert isinstance(outcome, DeadLetter)
    assert outcome.error_type == "bad_times"


def test_an_event_of_an_unknown_tenant_passes_once_the_tenants_file_names_it() -> None:
    value = action_value(timestamp=NOW, tenant_id="newcomer")
    refused = tried(topics.VOC_CALLS, value, strict=True)
    assert isinstance(refused, DeadLetter)
    assert refused.error_type == "unknown_tenant"
    assert isinstance(tried(topics.VOC_CALLS, value, strict=True, tenants=lambda: TenantMap(services={"*": "newcomer"})), Ok)


def test_an_event_that_was_too_far_ahead_passes_when_its_time_has_come() -> None:
    refused = tried(topics.VOC_CALLS, action_value(timestamp=NOW + timedelta(days=2)))
    assert isinstance(refused, DeadLetter)
    assert refused.error_type == "bad_time"
    assert isinstance(tried(topics.VOC_CALLS, action_value(timestamp=NOW + timedelta(hours=23))), Ok)


def test_a_topic_that_no_stage_reads_has_nobody_to_pass() -> None:
    outcome = tried("voc.gone", b"{}")
    assert isinstance(outcome, DeadLetter)
    assert outcome.error_type == "no_stage"


def test_own_topics_of_events_are_tried_as_events() -> None:
    trials = Trials(Settings(kafka_topics=("tenant.events",)), TenantMap)
    assert isinstance(trials.outcome(action_value(timestamp=NOW), Facts(NOW, "tenant.events", 0, 1)), Ok)


@pytest.mark.parametrize(
    ("outcome", "error_type", "expected"),
    [
        (Ok(), "malformed", Standing.PASSES),
        (Drop("duplicate"), "unknown_tenant", Standing.PASSES),
        (Ok(), "attempts_exhausted", Standing.UNKNOWN),
        (Ok(), "rejected", Standing.UNKNOWN),
        (Ok(), "not_audio", Standing.UNKNOWN),
        (DeadLetter("malformed", "no JSON"), "rejected", Standing.FAILS),
    ],
)
def test_what_the_outside_decided_is_not_foretold(outcome: Outcome, error_type: str, expected: Standing) -> None:
    assert standing(outcome, error_type) is expected
