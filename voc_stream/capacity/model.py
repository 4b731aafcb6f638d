"""From a load to what it takes: partitions, workers, scoring services, cores, memory, disks, objects (docs/capacity.md). Pure arithmetic.

What is no measurement is a rule of `Load` that its user may change, or is said in the docs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from voc_stream.capacity.measured import Measured

GIB = 1 << 30
SECONDS_A_DAY = 86_400
DAYS_A_MONTH = 30.4
HOURS_A_MONTH = 730
# As the topics of events keep their records (`voc_stream.topics`).
EVENT_TOPIC_DAYS = 7
EVENT_TOPICS = 3
# As the bucket's lifecycle has it (`voc_stream.bucket`).
RAW_DAYS, ARCHIVE_UNTIL_DAYS = 90, 365
# Twice as many partitions as workers: a worker more or less leaves no other with twice the work of its neighbour, and there is room to grow.
PARTITIONS_A_WORKER = 2
EVENT_PARTITIONS, RECORDING_PARTITIONS = 12, 24
# For the sake of an upgrade, or a node that goes.
LEAST_WORKERS = 2
# Beyond the event loop, one core, a worker has its fetching thread: both share Python's lock.
CORES_A_WORKER = 1
# DOWNLOAD_IN_FLIGHT as it is by default, and as many scores as a worker was measured to hold beside it, doubled.
DOWNLOADS_A_WORKER, SCORES_A_WORKER = 32, 64
VOLUME_GIB = 10
BATCH_SIZE, BATCH_FLUSH_SECONDS, LARGEST_BATCH = 500, 2.0, 20_000
PART_BYTES = 5 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes, and how it is kept.

    Attributes:
        calls_per_hour: at the busiest time.
        events_per_second: at the busiest time, those of calls included.
        mean_of_peak: the mean over days and nights, as a share of the busiest time: disks hold the mean.
        call_seconds: a call's length, on average.
        recording_bytes_per_second: 32,000 are 8 kHz, 16 bits, two channels; G.711 has 8,000 a channel.
        replay_seconds: that the recorder takes for a recording.
        busy: of a core, at the busiest time; the rest is for what comes unevenly, and for catching up.
        replication: of Kafka's topics.
        copies: of ClickHouse's data.
        event_days: for so long events are kept (TENANTS_FILE, `retention_days`).
    """

    calls_per_hour: float
    events_per_second: float
    mean_of_peak: float = 1.0
    call_seconds: float = 180.0
    recording_bytes_per_second: float = 32_000.0
    replay_seconds: float = 1.0
    busy: float = 0.7
    replication: int = 3
    copies: int = 2
    event_days: float = 365.0

    @property
    def calls_per_second(self) -> float:
        """At the busiest time."""
        return self.calls_per_hour / 3600

    @property
    def calls_a_day(self) -> float:
        """On average."""
        return self.calls_per_hour * 24 * self.mean_of_peak

    @property
    def events_a_day(self) -> float:
        """On average."""
        return self.events_per_second * SECONDS_A_DAY * self.mean_of_peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a load takes.

    Attributes:
        event_partitions: of each topic of customer events.
        recording_partitions: of `audio.ready` and `scoring.results`; the other topics of calls have half.
        worker_mib: of memory, each.
        scores_in_flight: SCORING_IN_FLIGHT of each worker.
        scorers: of one core and one job each.
        batch_size: BATCH_SIZE, with which a window closes by the clock.
        inserts_per_second: into ClickHouse.
        kafka_mib_per_second: written to the leaders, compressed.
        objects_gib: recordings in the bucket's first storage class.
        archive_gib: recordings in the archive.
        puts_a_month: requests that write objects.
    """

    event_partitions: int
    recording_partitions: int
    workers: int
    worker_cores: float
    worker_mib: float
    scores_in_flight: int
    scorers: int
    scorer_cores: float
    scorer_mib: float
    batch_size: int
    inserts_per_second: float
    kafka_cores: float
    kafka_mib_per_second: float
    kafka_gib: float
    postgres_cores: float
    clickhouse_cores: float
    clickhouse_gib: float
    objects_gib: float
    archive_gib: float
    puts_a_month: float

    @property
    def cores(self) -> float:
        """Of all that was reckoned, with room (`Load.busy`)."""
        return self.workers * CORES_A_WORKER + self.scorers + self.kafka_cores + self.postgres_cores + self.clickhouse_cores

    @property
    def memory_gib(self) -> float:
        """Of workers and scoring services; the servers' was not measured."""
        return (self.workers * self.worker_mib + self.scorers * self.scorer_mib) / 1024

    @property
    def disk_gib(self) -> float:
        """Of Kafka's events, ClickHouse, and the workers' state."""
        return self.kafka_gib + self.clickhouse_gib + self.workers * VOLUME_GIB


def capacity_of(load: Load, measured: Measured) -> Capacity:
    """Return what a load takes."""
    event_cores = load.events_per_second * measured.worker_event.value * measured.worker_scaling.value / 1e6
    worker_cores = event_cores + load.calls_per_second * measured.worker_call.value / 1e3
    scorer_cores = load.calls_per_second * load.call_seconds / measured.scorer_speed.value
    scorers = _up(scorer_cores / load.busy) if load.calls_per_hour else 0
    downloads = load.calls_per_second * load.replay_seconds
    workers = max(
        LEAST_WORKERS,
        _up(worker_cores / load.busy / CORES_A_WORKER),
        _up(downloads / load.busy / DOWNLOADS_A_WORKER),
        _up(scorers / SCORES_A_WORKER),
    )
    in_flight = max(1, _up(scorers / workers))
    partitions = _partitions(EVENT_PARTITIONS, workers)
    batch, inserts = _inserts(load.events_per_second, partitions)
    daily_bytes = load.calls_a_day * load.call_seconds * load.recording_bytes_per_second
    return Capacity(
        event_partitions=partitions,
        recording_partitions=_partitions(RECORDING_PARTITIONS, workers),
        workers=workers,
        worker_cores=worker_cores,
        worker_mib=measured.worker_memory.value + max(DOWNLOADS_A_WORKER, in_flight) * measured.recording_memory.value,
        scores_in_flight=in_flight,
        scorers=scorers,
        scorer_cores=scorer_cores,
        scorer_mib=measured.scorer_memory.value,
        batch_size=batch,
        inserts_per_second=inserts,
        kafka_cores=_kafka_cores(load, measured) / load.busy,
        kafka_mib_per_second=load.events_per_second * measured.kafka_event_bytes.value / (1 << 20),
        kafka_gib=load.replication * load.events_a_day * EVENT_TOPIC_DAYS * measured.kafka_event_bytes.value / GIB,
        postgres_cores=load.calls_per_second * measured.postgres_call.value / 1e3 / load.busy,
        clickhouse_cores=load.copies
        * (inserts * measured.clickhouse_insert.value / 1e3 + load.events_per_second * measured.clickhouse_row.value / 1e6)
        / load.busy,
        clickhouse_gib=load.copies * load.events_a_day * load.event_days * measured.clickhouse_event_bytes.value / GIB,
        objects_gib=daily_bytes * RAW_DAYS / GIB,
        archive_gib=daily_bytes * (ARCHIVE_UNTIL_DAYS - RAW_DAYS) / GIB,
        puts_a_month=load.calls_a_day * DAYS_A_MONTH * _puts(load.call_seconds * load.recording_bytes_per_second),
    )


def _kafka_cores(load: Load, measured: Measured) -> float:
    """Return what Kafka is busy with: an event is read once and written to each replica, a write is reckoned like a read."""
    events = load.events_per_second * (1 + load.replication) * measured.kafka_event.value / 1e6
    return events + load.calls_per_second * load.replication * measured.kafka_call.value / 1e3


def _inserts(events_per_second: float, partitions: int) -> tuple[int, float]:
    """Return the size of windows with which each partition makes one in BATCH_FLUSH_SECONDS, and how many there are a second."""
    all_partitions = EVENT_TOPICS * partitions
    expected = events_per_second / all_partitions * BATCH_FLUSH_SECONDS
    batch = min(LARGEST_BATCH, max(BATCH_SIZE, BATCH_SIZE * math.ceil(1.5 * expected / BATCH_SIZE)))
    busiest = min(events_per_second, all_partitions / BATCH_FLUSH_SECONDS)
    return batch, max(busiest, events_per_second / batch)


def _partitions(least: int, workers: int) -> int:
    """Return the least count, doubled until it is enough: counts that divide each other spread evenly."""
    return least << max(0, math.ceil(math.log2(PARTITIONS_A_WORKER * workers / least)))


def _puts(size: float) -> int:
    """Return the requests that write a recording, in parts where it is larger than one, and its transcript."""
    parts = math.ceil(size / PART_BYTES)
    return 2 if parts <= 1 else parts + 3


def _up(number: float) -> int:
    return math.ceil(number - 1e-9)
