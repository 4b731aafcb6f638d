"""What a span may tell: ids, places, counts and kinds, and nothing that a person said or is called. Any other attribute is left out."""

from __future__ import annotations

CALL_ID = "voc.call_id"
TENANT_ID = "voc.tenant_id"
STAGE = "voc.stage"
OUTCOME = "voc.outcome"
ATTEMPT = "voc.attempt"
DEPENDENCY = "voc.dependency"
QUEUED_SECONDS = "voc.queued_seconds"
STORED = "voc.stored"
DUPLICATES = "voc.duplicates"
DEAD_LETTERS = "voc.dead_letters"
MOVED = "voc.moved"
AGAIN = "voc.again"
SAMPLED_EVENTS = "voc.sampled_events"
LAST_OFFSET = "voc.last_offset"

SYSTEM = "messaging.system"
TOPIC = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
OFFSET = "messaging.kafka.offset"
ERROR_TYPE = "error.type"

KNOWN = frozenset(
    {
        CALL_ID, TENANT_ID, STAGE, OUTCOME, ATTEMPT, DEPENDENCY, QUEUED_SECONDS, STORED, DUPLICATES, DEAD_LETTERS, MOVED, AGAIN,
        SAMPLED_EVENTS, LAST_OFFSET, SYSTEM, TOPIC, PARTITION, OFFSET, ERROR_TYPE,
    }
)  # fmt: skip
