"""The topics of spec section 1."""

from __future__ import annotations

from voc_stream.settings import load_settings
from voc_stream.topics import DEAD_LETTER_ROOM_BYTES, Topic, all_topics

DAY = 86_400


def topics(**settings: object) -> dict[str, Topic]:
    found = all_topics(load_settings(**settings))
    assert len({topic.name for topic in found}) == len(found)
    return {topic.name: topic for topic in found}


def test_partitions_and_retention_are_those_of_the_specification() -> None:
    known = topics()
    assert {
        name: (known[name].partitions, (known[name].retention_seconds or 0) // DAY) for name in known if name[0] != "v" and ".dlq" not in name
    } == {
        "calls.polled": (12, 7),
        "calls.raw": (12, 7),
        "calls.enriched": (12, 7),
        "audio.ready": (24, 14),
        "scoring.results": (24, 30),
        "model.version.updated": (1, 30),
    }
    assert {(known[name].partitions, known[name].retention_seconds) for name in ("voc.calls", "voc.actions", "voc.metrics", "voc.alerts")} == {
        (12, 7 * DAY)
    }


def test_every_consumed_topic_has_one_twin_with_room_for_what_a_dead_letter_adds() -> None:
    known = topics()
    for topic in known.values():
        twin = topic.dead_letter
        assert (twin is not None) == topic.consumed
        if twin is not None:
            assert known[f"{topic.name}.dlq"] == twin
            assert (twin.partitions, twin.retention_seconds) == (topic.partitions, 30 * DAY)
            assert twin.max_message_bytes == topic.max_message_bytes + DEAD_LETTER_ROOM_BYTES
            assert twin.dead_letter is None
    assert not any(name.endswith(".dlq.dlq") for name in known)


def test_what_faust_cannot_create_on_kafka_4_is_there_under_the_app_id() -> None:
    known = topics(kafka_group_id="another-app")
    changelog = known["another-app-calls-seen-changelog"]
    assert (changelog.partitions, changelog.cleanup) == (12, "compact")
    assert "retention.ms" not in changelog.config(1)
    assert known["another-app-__assignor-__leader"].partitions == 1


def test_further_voc_topics_come_from_the_settings_and_the_known_ones_stay() -> None:
    known = topics(kafka_topics="voc.calls,voc.chats")
    assert {"voc.calls", "voc.actions", "voc.metrics", "voc.chats", "voc.chats.dlq"} <= known.keys()


def test_with_three_replicas_a_write_reaches_two() -> None:
    topic = topics()["calls.raw"]
    assert topic.config(3)["min.insync.replicas"] == "2"
    assert topic.config(1)["min.insync.replicas"] == "1"
