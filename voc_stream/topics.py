"""Every Kafka topic (spec section 1): who partitions it, for how long it keeps what, and its dead-letter twin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from voc_stream.settings import Settings

CALLS_POLLED = "calls.polled"
CALLS_RAW = "calls.raw"
CALLS_ENRICHED = "calls.enriched"
AUDIO_READY = "audio.ready"
SCORING_RESULTS = "scoring.results"
VOC_CALLS = "voc.calls"
VOC_ACTIONS = "voc.actions"
VOC_METRICS = "voc.metrics"
VOC_ALERTS = "voc.alerts"
MODEL_VERSION_UPDATED = "model.version.updated"
# Events of tenants that were given a lane of their own (VOC_OVERFLOW_TENANTS).
VOC_OVERFLOW = "voc.overflow"

# The table of calls that the dedup stage has seen; its changelog has the source's partitions.
CALLS_SEEN = "calls-seen"
# The ledger of the windows in which customer events are stored; likewise.
EVENT_RANGES = "event-ranges"

MAX_MESSAGE_BYTES = 1 << 20
# What a dead letter adds to the original: error, stack, coordinates.
DEAD_LETTER_ROOM_BYTES = 64 << 10

_DAY = 86_400
DEAD_LETTER_SECONDS = 30 * _DAY

# Families: their topics have one number of partitions, and so has the changelog of the table that lies beside them.
CALLS = "calls"
RECORDINGS = "recordings"
EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as `faust -A voc_stream topics` makes it.

    Attributes:
        key: what its records are keyed by; records of one key stay in order.
        retention_seconds: how long it keeps a record; None where compaction decides.
        consumed: whether a stage of ours reads it, so that it has a dead-letter twin.
        family: of topics whose partitions grow together; the settings then say how many there are.
    """

    name: str
    key: str
    partitions: int
    retention_seconds: int | None
    cleanup: Literal["delete", "compact"] = "delete"
    max_message_bytes: int = MAX_MESSAGE_BYTES
    consumed: bool = True
    family: str = ""

    @property
    def dead_letter(self) -> Topic | None:
        """The twin that keeps what could not pass; a dead-letter topic has none."""
        if not self.consumed:
            return None
        return replace(
            self,
            name=f"{self.name}.dlq",
            retention_seconds=DEAD_LETTER_SECONDS,
            max_message_bytes=self.max_message_bytes + DEAD_LETTER_ROOM_BYTES,
            consumed=False,
        )

    def config(self, replication: int) -> dict[str, str]:
        """Return the broker's settings of this topic; with three replicas a write must reach two."""
        config = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_message_bytes),
            "min.insync.replicas": "2" if replication >= 3 else "1",
        }
        if self.retention_seconds is not None:
            config["retention.ms"] = str(self.retention_seconds * 1000)
        return config


CALLS_PIPELINE = (
    Topic(CALLS_POLLED, "call_id", 12, 7 * _DAY, family=CALLS),
    Topic(CALLS_RAW, "call_id", 12, 7 * _DAY, family=CALLS),
    Topic(CALLS_ENRICHED, "call_id", 12, 7 * _DAY, family=CALLS),
    Topic(AUDIO_READY, "call_id", 24, 14 * _DAY, family=RECORDINGS),
    Topic(SCORING_RESULTS, "call_id", 24, 30 * _DAY, family=RECORDINGS),
    Topic(MODEL_VERSION_UPDATED, "model_version", 1, 30 * _DAY),
    Topic(VOC_ALERTS, "tenant_id", 12, 7 * _DAY, consumed=False),
)


@dataclass(frozen=True, slots=True)
class Family:
    """Topics that have their partitions in common.

    Attributes:
        name: of the family.
        setting: which says how many partitions.
        partitions: so many.
        sources: what the group reads, and customer events' known topics.
        letters: their dead-letter twins.
        changelog: of the table whose rows lie in the sources' partitions, None without one.
    """

    name: str
    setting: str
    partitions: int
    sources: tuple[str, ...]
    letters: tuple[str, ...]
    changelog: str | None

    @property
    def topics(self) -> tuple[str, ...]:
        """Return all of them."""
        return (*self.sources, *self.letters, *((self.changelog,) if self.changelog else ()))


def families(settings: Settings) -> tuple[Family, ...]:
    """Return the topics whose partitions can grow, by family."""
    topics = all_topics(settings)
    found = []
    for name in (CALLS, RECORDINGS, EVENTS):
        mine = [topic for topic in topics if topic.family == name]
        setting = f"kafka_{name.removesuffix('s')}_partitions"
        changelog = next((topic.name for topic in mine if topic.cleanup == "compact"), None)
        letters = tuple(topic.dead_letter.name for topic in mine if topic.dead_letter)
        sources = tuple(topic.name for topic in mine if topic.name != changelog and topic.name not in letters)
        found.append(Family(name, setting.upper(), getattr(settings, setting), sources, letters, changelog))
    return tuple(found)


def all_topics(settings: Settings) -> tuple[Topic, ...]:
    """Return everything that must be there before a worker starts: topics, dead-letter twins, Faust's own."""
    voc_names = dict.fromkeys((VOC_CALLS, VOC_ACTIONS, VOC_METRICS, *settings.kafka_topics))
    keys = dict.fromkeys(voc_names, "tenant's own") | {VOC_OVERFLOW: "event_id"}
    ours = (*CALLS_PIPELINE, *(Topic(name, key, 12, 7 * _DAY, family=EVENTS) for name, key in keys.items()))
    twins = tuple(twin for topic in ours if (twin := topic.dead_letter))
    counts = {CALLS: settings.kafka_call_partitions, RECORDINGS: settings.kafka_recording_partitions, EVENTS: settings.kafka_event_partitions}
    topics = (*ours, *twins, *_of_faust(settings.kafka_group_id))
    return tuple(replace(topic, partitions=counts.get(topic.family, topic.partitions)) for topic in topics)


def dead_letter_topics(settings: Settings) -> list[str]:
    """Return the names of every dead-letter topic."""
    return [topic.dead_letter.name for topic in all_topics(settings) if topic.dead_letter is not None]


def _of_faust(app_id: str) -> tuple[Topic, ...]:
    """Return what Faust would create itself, if it could on Kafka 4."""
    ranges_key = "partition, claim and first offset"
    return (
        Topic(f"{app_id}-{CALLS_SEEN}-changelog", "call_id", 12, None, cleanup="compact", consumed=False, family=CALLS),
        Topic(f"{app_id}-{EVENT_RANGES}-changelog", ranges_key, 12, None, cleanup="compact", consumed=False, family=EVENTS),
        Topic(f"{app_id}-__assignor-__leader", "none", 1, _DAY, consumed=False),
    )
