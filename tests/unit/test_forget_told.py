"""What `forget` says that no deletion reaches, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

from voc_stream import forget, topics
from voc_stream.clients.object_removal import HeldObject
from voc_stream.services.forgetting import Forgotten
from voc_stream.settings import load_settings

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_object_lock_kafka_and_backups_are_named_with_their_days() -> None:
    held = (HeldObject("raw/1.wav", datetime(2027, 11, 22, tzinfo=UTC)), HeldObject("raw/2.wav", None))
    lines = forget._still_held(load_settings(backup_retention_days=30), Forgotten(0, 0, held=held), NOW)
    assert lines[:2] == [
        "still held by object lock: raw/1.wav until 2027-11-22",
        "still held by object lock: raw/2.wav until its legal hold in S3 is lifted",
    ]
    kafka = [line for line in lines if line.startswith("still held by Kafka until ")]
    named = {name for line in kafka for name in line.rpartition(": ")[2].split(", ")}
    assert {topics.CALLS_POLLED, topics.CALLS_RAW, topics.VOC_CALLS, f"{topics.VOC_CALLS}.dlq"} <= named
    assert all(line.split()[5] > "2026-11-22" for line in kafka)
    assert lines[-1].startswith("still held by backups until 2026-12-22 (BACKUP_RETENTION_DAYS)")
