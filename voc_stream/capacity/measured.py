"""What was measured, and where: the only figures that the capacity model takes for granted (docs/capacity.md shows them).

Whoever measures on a machine of their own (`make bench-sizes`, `make bench-calls PARTS=scoring`, `make scale`) replaces them here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple


class Figure(NamedTuple):
    """A measured figure."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one machine: two virtual cores, everything on it (docs/benchmarks.md)."""

    event_bytes: Figure
    worker_event: Figure
    worker_scaling: Figure
    worker_call: Figure
    worker_memory: Figure
    recording_memory: Figure
    scorer_speed: Figure
    scorer_memory: Figure
    kafka_event: Figure
    kafka_call: Figure
    kafka_event_bytes: Figure
    postgres_call: Figure
    clickhouse_insert: Figure
    clickhouse_row: Figure
    clickhouse_event_bytes: Figure


MEASURED = Measured(
    event_bytes=Figure(441, "bytes of an event", "bench"),
    worker_event=Figure(46.0, "µs of a worker's CPU an event, everything on", "scale, one worker"),
    worker_scaling=Figure(1.09, "CPU of an event with three workers, of that with one", "scale"),
    worker_call=Figure(3.9, "ms of a worker's CPU a call: the download, its dearest hop, alone", "bench-calls, downloads"),
    worker_memory=Figure(501, "MiB, high-water mark of a worker with 2.6 million events waiting", "bench, backlog"),
    recording_memory=Figure(6.3, "MiB a recording that is downloaded and one that is scored at the same time", "bench-calls, memory"),
    scorer_speed=Figure(28.3, "seconds of recording a CPU second hears (tiny.en)", "bench-calls, scoring"),
    scorer_memory=Figure(404, "MiB, high-water mark of a scoring service with one job", "bench-calls, scoring"),
    kafka_event=Figure(3.4, "µs of Kafka's CPU an event read by a worker", "scale, three workers"),
    kafka_call=Figure(3.0, "ms of Kafka's CPU a call: the download alone", "bench-calls, downloads"),
    kafka_event_bytes=Figure(106, "bytes an event in batches of 64 KiB, lz4, as a producer makes them", "bench"),
    postgres_call=Figure(0.4, "ms of PostgreSQL's CPU a call: the download alone", "bench-calls, downloads"),
    clickhouse_insert=Figure(88.7, "ms of ClickHouse's CPU an insert, besides its rows", "bench, engine"),
    clickhouse_row=Figure(22.7, "µs of ClickHouse's CPU a row, views and merges included", "bench, engine"),
    clickhouse_event_bytes=Figure(50.7, "bytes of ClickHouse's disk an event, views included", "bench-sizes"),
)


def named(measured: Measured) -> list[tuple[str, Figure]]:
    """Return the figures with their names, in order."""
    return [(field.name, getattr(measured, field.name)) for field in fields(measured)]
