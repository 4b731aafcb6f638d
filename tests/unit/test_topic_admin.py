"""What the topics command says of a difference."""

from __future__ import annotations

from voc_stream.topic_admin import differences
from voc_stream.topics import Topic

TOPIC = Topic("calls.raw", "call_id", 12, 604_800)
AS_WANTED = {"partitions": "12", "replication": "3", "segment.bytes": "1073741824", **TOPIC.config(3)}


def test_a_topic_as_wanted_is_no_difference_whatever_else_is_set() -> None:
    assert differences({TOPIC.name: TOPIC}, {TOPIC.name: AS_WANTED}, 3) == []


def test_each_setting_that_differs_has_a_line() -> None:
    found = {**AS_WANTED, "partitions": "6", "min.insync.replicas": "1", "retention.ms": "1000"}
    assert differences({TOPIC.name: TOPIC}, {TOPIC.name: found}, 3) == [
        "calls.raw: partitions is 6, expected 12",
        "calls.raw: min.insync.replicas is 1, expected 2",
        "calls.raw: retention.ms is 1000, expected 604800000",
    ]


def test_a_topic_that_is_not_there_is_missing() -> None:
    assert differences({TOPIC.name: TOPIC}, {}, 3) == ["calls.raw: missing"]
