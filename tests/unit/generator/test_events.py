"""Made-up events: real ones in every respect, repeatable, and different where tenants should differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import mean

from voc_stream import topics
from voc_stream.events.voc import AgentAction, CallEvent, QosMetric, ToolInvocation, decode_voc, heard_text
from voc_stream.generator.bank import bank
from voc_stream.generator.events import make_events

START = datetime(2026, 11, 22, tzinfo=UTC)
MADE = list(make_events(5_000, 3, 20, START, spacing=17.28))
EVENTS = [decode_voc(value) for _, _, value in MADE]
CALLS = [event for event in EVENTS if isinstance(event, CallEvent)]


def test_they_are_customer_events_of_the_promised_kinds_and_size() -> None:
    kinds = Counter(type(event) for event in EVENTS)
    assert 0.37 < kinds[CallEvent] / len(EVENTS) < 0.43
    assert min(kinds[AgentAction], kinds[ToolInvocation], kinds[QosMetric]) > 500
    assert 420 < mean(len(value) for _, _, value in MADE) < 460


def test_every_call_has_words_of_its_customer() -> None:
    assert all(heard_text(event) for event in CALLS)
    assert {bool(event.turns) for event in CALLS} == {True, False}


def test_each_goes_to_the_topic_of_its_kind_keyed_by_call_or_tenant() -> None:
    for (topic, key, _), event in zip(MADE, EVENTS, strict=True):
        match event:
            case CallEvent():
                assert (topic, key.decode()) == (topics.VOC_CALLS, event.call_id)
            case QosMetric():
                assert (topic, key.decode()) == (topics.VOC_METRICS, event.call_id)
            case _:
                assert (topic, key.decode()) == (topics.VOC_ACTIONS, event.tenant_id)


def test_no_two_share_an_id_and_all_tenants_take_part() -> None:
    assert len({event.event_id for event in EVENTS}) == len(EVENTS)
    assert len({event.tenant_id for event in EVENTS}) == 20


def test_the_same_seed_gives_the_same_events_and_another_one_others() -> None:
    assert list(make_events(50, 3, 20, START, spacing=17.28)) == MADE[:50]
    other = {decode_voc(value).event_id for _, _, value in make_events(50, 4, 20, START)}
    assert other.isdisjoint(event.event_id for event in EVENTS)


def test_without_a_count_they_do_not_end() -> None:
    endless = make_events(None, 3, 20, START, spacing=17.28)
    assert list(islice(endless, len(MADE))) == MADE


def test_their_times_are_evenly_spaced() -> None:
    assert [event.timestamp for event in EVENTS[:3]] == [START + timedelta(seconds=17.28 * number) for number in range(3)]


def test_the_mood_differs_by_tenant_and_hour() -> None:
    content, sour = set(bank().moods["positive"]), set(bank().moods["negative"])
    moods: defaultdict[object, list[int]] = defaultdict(list)
    for _, _, value in make_events(20_000, 3, 5, START, spacing=4.32):
        event = decode_voc(value)
        if isinstance(event, CallEvent):
            text = heard_text(event)
            mood = any(one in text for one in content) - any(one in text for one in sour)
            moods[event.tenant_id].append(mood)
            moods[event.tenant_id, event.timestamp.hour // 4].append(mood)
    by_tenant = [mean(found) for tenant, found in moods.items() if isinstance(tenant, str)]
    assert max(by_tenant) - min(by_tenant) > 0.1
    over_the_day = [mean(found) for key, found in moods.items() if isinstance(key, tuple) and key[0] == "tenant-01"]
    assert max(over_the_day) - min(over_the_day) > 0.2
