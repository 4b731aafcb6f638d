"""When alerts are raised and cleared: examples, and properties over random days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.events.alerts import AlertEvent
from voc_stream.stages.alert_rules import AlertRules, ComplaintRule, Reading, SentimentRule, TenantAlerts
from voc_stream.stages.alerts import Episode, decide, evaluate

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SENTIMENT = SentimentRule(metric="mean_sentiment", raise_below=-0.3, clear_above=-0.1, minimum_count=10, cool_down_minutes=30)
COMPLAINTS = ComplaintRule(metric="complaint_share", raise_above=0.3, clear_below=0.2, minimum_count=10, cool_down_minutes=30)
RULES = AlertRules(TenantAlerts({"low": SENTIMENT, "complaints": COMPLAINTS}))


def felt(mean: float, count: int = 10, tenant_id: str = "acme") -> Reading:
    return Reading(tenant_id, 15, sentiment_sum=mean * count, sentiments=count, complaints=0, topics=0)


def complained(complaints: int, topics: int) -> Reading:
    return Reading("acme", 15, sentiment_sum=0.0, sentiments=0, complaints=complaints, topics=topics)


def episode_of(event: AlertEvent) -> Episode:
    return Episode(event.alert_id, event.tenant_id, event.rule, event.metric, event.window_minutes, event.raised_at, event.cleared_at)


def raised(now: datetime = NOON) -> Episode:
    (event,) = evaluate(RULES, [felt(-0.5)], [], now)
    return episode_of(event)


def test_a_mean_below_the_threshold_raises_an_alert_that_says_why() -> None:
    (event,) = evaluate(RULES, [felt(-0.5, 12)], [], NOON)

    assert (event.tenant_id, event.rule, event.state, event.cause) == ("acme", "low", "raised", "data")
    assert event.value == pytest.approx(-0.5)
    assert (event.count, event.threshold, event.window_minutes) == (12, -0.3, 15)
    assert event.moment == event.raised_at == NOON


def test_a_share_of_complaints_above_the_threshold_raises_one_too() -> None:
    (event,) = evaluate(RULES, [complained(4, 12)], [], NOON)
    assert (event.rule, event.count) == ("complaints", 12)
    assert event.value == pytest.approx(1 / 3)


def test_too_few_events_raise_nothing_and_clear_nothing() -> None:
    assert evaluate(RULES, [felt(-1, 9)], [], NOON) == []
    assert evaluate(RULES, [felt(1, 9)], [raised()], NOON) == []


def test_a_quiet_tenant_keeps_its_open_alert() -> None:
    assert evaluate(RULES, [], [raised()], NOON + timedelta(days=1)) == []


@pytest.mark.parametrize("mean", [-0.9, -0.3, -0.2, -0.1])
def test_an_open_alert_is_neither_raised_again_nor_cleared_before_the_clear_threshold(mean: float) -> None:
    assert evaluate(RULES, [felt(mean)], [raised()], NOON) == []


def test_an_alert_is_cleared_beyond_the_clear_threshold() -> None:
    episode, later = raised(), NOON + timedelta(minutes=5)
    (event,) = evaluate(RULES, [felt(0.0)], [episode], later)

    assert (event.state, event.alert_id, event.threshold) == ("cleared", episode.alert_id, -0.1)
    assert (event.raised_at, event.cleared_at, event.moment) == (NOON, later, later)


def test_after_an_alert_was_cleared_none_is_raised_until_the_cool_down_is_over() -> None:
    closed = replace(raised(), cleared_at=NOON)
    assert evaluate(RULES, [felt(-0.5)], [closed], NOON + timedelta(minutes=29)) == []
    assert len(evaluate(RULES, [felt(-0.5)], [closed], NOON + timedelta(minutes=30))) == 1


def test_an_alert_whose_rule_was_removed_is_cleared_without_a_value() -> None:
    (event,) = evaluate(AlertRules(), [felt(-0.5)], [raised()], NOON)
    assert (event.state, event.cause, event.value, event.threshold) == ("cleared", "rule_removed", None, None)


def test_an_alert_that_was_cleared_needs_no_rule() -> None:
    assert evaluate(AlertRules(), [], [replace(raised(), cleared_at=NOON)], NOON) == []


def test_a_tenant_s_own_rules_replace_the_defaults() -> None:
    rules = AlertRules(RULES.defaults, {"calm": TenantAlerts({"low": SENTIMENT.model_copy(update={"raise_below": -0.8})})})
    happened = evaluate(rules, [felt(-0.5), felt(-0.5, tenant_id="calm")], [], NOON)
    assert [event.tenant_id for event in happened] == ["acme"]


def test_the_same_decision_has_the_same_ids_and_the_two_ends_of_an_episode_share_one() -> None:
    first, again = (evaluate(RULES, [felt(-0.5)], [], NOON) for _ in range(2))
    (end,) = evaluate(RULES, [felt(0.5)], [episode_of(first[0])], NOON)

    assert first == again
    assert end.alert_id == first[0].alert_id
    assert end.ingest_uuid != first[0].ingest_uuid


def test_a_sum_that_is_no_number_says_nothing() -> None:
    assert evaluate(RULES, [felt(float("nan"))], [], NOON) == []


def test_an_alert_does_not_end_before_it_began_though_clocks_differ() -> None:
    (event,) = evaluate(RULES, [felt(0.5)], [raised(NOON + timedelta(seconds=3))], NOON)
    assert event.cleared_at == NOON + timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Step:
    minutes: int
    mean: float
    count: int


STEPS = st.lists(st.builds(Step, st.integers(0, 20), st.floats(-1, 1), st.integers(0, 20)), max_size=60)
RULE = st.builds(
    lambda low, gap, minimum, cool: SentimentRule(
        metric="mean_sentiment", raise_below=low, clear_above=low + gap, minimum_count=minimum, cool_down_minutes=cool
    ),
    st.floats(-1, 0), st.floats(0.01, 1), st.integers(1, 15), st.integers(0, 90),
)  # fmt: skip


def lived(rule: SentimentRule, steps: list[Step]) -> list[tuple[Step, AlertEvent | None]]:
    """Return what every step led to, one after the other."""
    now, newest, happened = NOON, None, []
    for step in steps:
        now += timedelta(minutes=step.minutes)
        event = decide("acme", "low", rule, reading=felt(step.mean, step.count), newest=newest, now=now)
        newest = newest if event is None else episode_of(event)
        happened.append((step, event))
    return happened


@given(RULE, STEPS)
def test_episodes_follow_each_other_and_keep_the_cool_down(rule: SentimentRule, steps: list[Step]) -> None:
    events = [event for _, event in lived(rule, steps) if event is not None]

    assert [event.state for event in events] == ["raised", "cleared"] * (len(events) // 2) + ["raised"] * (len(events) % 2)
    for end, begin in zip(events[1::2], events[2::2], strict=False):
        assert begin.moment - end.moment >= timedelta(minutes=rule.cool_down_minutes)
    for begin, end in zip(events[::2], events[1::2], strict=False):
        assert begin.alert_id == end.alert_id


@given(RULE, STEPS)
def test_nothing_happens_inside_the_hysteresis_or_with_too_few_events(rule: SentimentRule, steps: list[Step]) -> None:
    for step, event in lived(rule, steps):
        if step.count < rule.minimum_count:
            assert event is None
        elif event is not None:
            assert event.value is not None
            assert event.value < rule.raise_below if event.state == "raised" else event.value > rule.clear_above


@given(RULE, STEPS)
def test_with_neither_cool_down_nor_an_open_episode_what_is_bad_is_raised_at_once(rule: SentimentRule, steps: list[Step]) -> None:
    rule = rule.model_copy(update={"cool_down_minutes": 0})
    is_open = False
    for step, event in lived(rule, steps):
        measured = rule.measure(felt(step.mean, step.count))
        if measured is not None and not is_open:
            assert (event is not None) == rule.is_bad(measured[0])
        is_open = event.state == "raised" if event is not None else is_open
