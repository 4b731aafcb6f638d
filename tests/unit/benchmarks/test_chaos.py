"""The chaos run's plan, and that its count sees what goes wrong."""

from __future__ import annotations

import random
from collections import Counter

from benchmarks.chaos.counting import Count, hold_against
from benchmarks.chaos.incidents import timeline
from benchmarks.chaos.sending import DUPLICATES, POISON, messages
from benchmarks.voc_events import event_id
from voc_stream.events.base import MalformedError
from voc_stream.events.voc import decode_voc

TOPICS = {b"call": "voc.c", b"agent_action": "voc.a", b"tool_invocation": "voc.a", b"qos_metric": "voc.m"}


def test_every_number_is_sent_and_about_five_in_a_hundred_twice_to_the_same_partition() -> None:
    sent = [message for message in messages(4_000, 7, TOPICS, "t") if message.number is not None]
    times = Counter(message.number for message in sent)
    places = {(message.number, message.topic, message.key) for message in sent}
    assert set(times) == set(range(4_000))
    assert len(places) == 4_000
    assert 0.5 * DUPLICATES < (len(sent) - 4_000) / 4_000 < 2 * DUPLICATES
    assert max(times.values()) == 2


def test_numbered_events_are_good_and_poison_is_not() -> None:
    poison = 0
    for message in messages(2_000, 7, TOPICS, "t"):
        try:
            event = decode_voc(message.value)
        except MalformedError:
            poison += 1
            assert message.number is None
        else:
            assert message.number is not None
            assert str(event.event_id).encode() == event_id(message.number)
    assert 0.3 * POISON < poison / 2_000 < 3 * POISON


def test_the_same_seed_gives_the_same_incidents() -> None:
    first, again = (timeline(20, (2.0, 8.0), 12.0, random.Random(5)) for _ in range(2))  # noqa: S311
    assert first == again
    kinds = Counter(incident.what for incident in first)
    assert kinds == {"kill": 20, "freeze": 1, "wake": 1, "restart clickhouse": 1, "restart kafka": 1}


def test_the_count_tells_what_is_lost_doubled_and_made_up() -> None:
    count = Count(4)
    stored = Counter({event_id(0).decode(): 1, event_id(1).decode(): 3, "somebody else's": 1})
    hold_against(stored, 4, count)
    assert (count.stored, count.lost, count.duplicated) == (3, 2, 2)
    assert len(count.problems) == 2


def test_the_count_is_content_with_each_event_once() -> None:
    count = Count(50)
    hold_against(Counter(event_id(number).decode() for number in range(50)), 50, count)
    assert (count.stored, count.lost, count.duplicated, count.problems) == (50, 0, 0, [])
