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
    worker_event=Figure(48.7, "µs of a worker's CPU an event, everything on", "scale, one worker"),
    worker_scaling=Figure(0.72, "CPU of an event with three workers, of that with one", "scale"),
    worker_call=Figure(12.9, "ms of a worker's CPU a call, from poll to export, scoring elsewhere", "bench-sizes"),
    worker_memory=Figure(403, "MiB, high-water mark of a worker with 5 million events waiting", "bench, backlog"),
    recording_memory=Figure(6.3, "MiB a recording that is downloaded and one that is scored at the same time", "bench-calls, memory"),
    scorer_speed=Figure(28.3, "seconds of recording a CPU second hears (tiny.en)", "bench-calls, scoring"),
    scorer_memory=Figure(404, "MiB, high-water mark of a scoring service with one job", "bench-calls, scoring"),
    kafka_event=Figure(3.7, "µs of Kafka's CPU an event read by a worker", "bench-sizes"),
    kafka_call=Figure(1.5, "ms of Kafka's CPU a call", "bench-sizes"),
    kafka_event_bytes=Figure(107, "bytes an event in batches of 64 KiB, lz4, as a producer makes them", "bench-sizes"),
    postgres_call=Figure(1.8, "ms of PostgreSQL's CPU a call", "bench-sizes"),
    clickhouse_insert=Figure(57.4, "ms of ClickHouse's CPU an insert, besides its rows", "bench-sizes"),
    clickhouse_row=Figure(24.4, "µs of ClickHouse's CPU a row, views and merges included", "bench-sizes"),
    clickhouse_event_bytes=Figure(90, "bytes of ClickHouse's disk an event, views included", "bench-sizes"),
)


def named(measured: Measured) -> list[tuple[str, Figure]]:
    """Return the figures with their names, in order."""
    return [(field.name, getattr(measured, field.name)) for field in fields(measured)]
