"""The tables of docs/capacity.md, made from the model: what is written there is what the command says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voc_stream.capacity.measured import Measured, named
from voc_stream.capacity.model import Capacity, Load, capacity_of
from voc_stream.capacity.prices import units_a_month

# Calls an hour, events a second.
LOADS = ((100, 10), (1_000, 100), (10_000, 1_000), (100_000, 10_000), (1_000_000, 100_000), (1_000_000, 1_000_000))

Row = tuple[str, Callable[[Capacity], float | None]]

_ROWS: tuple[Row, ...] = (
    ("partitions: each topic of events", lambda each: each.event_partitions),
    ("partitions: `audio.ready`, `scoring.results`", lambda each: each.recording_partitions),
    ("workers", lambda each: each.workers),
    ("workers: MiB of memory each", lambda each: each.worker_mib),
    ("workers: `SCORING_IN_FLIGHT`", lambda each: each.scores_in_flight),
    ("workers: `BATCH_SIZE`", lambda each: each.batch_size),
    ("scoring services, a core each", lambda each: each.scorers),
    ("Kafka: cores", lambda each: each.kafka_cores),
    ("Kafka: MiB/s written", lambda each: each.kafka_mib_per_second),
    ("Kafka: GiB of disk, events", lambda each: each.kafka_gib),
    ("PostgreSQL: cores", lambda each: each.postgres_cores),
    ("ClickHouse: cores", lambda each: each.clickhouse_cores),
    ("ClickHouse: inserts a second", lambda each: each.inserts_per_second),
    ("ClickHouse: GiB of disk", lambda each: each.clickhouse_gib),
    ("recordings: GiB in the bucket", lambda each: each.objects_gib),
    ("recordings: GiB in the archive", lambda each: each.archive_gib),
    ("a month: core-hours", lambda each: units_a_month(each).core_hour),
    ("a month: GiB-hours of memory", lambda each: units_a_month(each).memory_gib_hour),
    ("a month: GiB-months of disk", lambda each: units_a_month(each).disk_gib_month),
    ("a month: thousands of puts", lambda each: units_a_month(each).thousand_puts),
)


def capacity_table(loads: Sequence[tuple[float, float]], measured: Measured) -> str:
    """Return a column a load."""
    columns = [capacity_of(Load(calls_per_hour=calls, events_per_second=events), measured) for calls, events in loads]
    head = ["calls an hour<br>events a second", *(f"{shown(calls)}<br>{shown(events)}" for calls, events in loads)]
    rows = [[title, *(shown(figure(column)) for column in columns)] for title, figure in _ROWS]
    return _markdown(head, rows)


def measured_table(measured: Measured) -> str:
    """Return what was measured, and where."""
    rows = [[f"`{name}`", shown(figure.value), figure.unit, figure.source] for name, figure in named(measured)]
    return _markdown(["figure", "value", "unit", "measured by"], rows, numbers=(1,))


def lines_of(capacity: Capacity) -> list[str]:
    """Return one capacity, a line a figure."""
    width = max(len(title) for title, _ in _ROWS)
    return [f"{title.replace('`', ''):<{width}} {shown(figure(capacity)):>12}" for title, figure in _ROWS]


def with_tables(text: str, measured: Measured) -> str:
    """Return a document with its generated parts made anew: what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

    Raises:
        ValueError: a mark is missing.
    """
    for name, made in (("capacity", capacity_table(LOADS, measured)), ("measured", measured_table(measured))):
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        start, stop = text.index(begin) + len(begin), text.index(end)
        text = f"{text[:start]}\n{made}\n{text[stop:]}"
    return text


def shown(value: float | None) -> str:
    """Return a number as a person reads it."""
    if value is None:
        return ""
    if 0 < value < 0.05:
        return "under 0.1"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] | None = None) -> str:
    right = range(1, len(head)) if numbers is None else numbers
    rule = ["---:" if column in right else "---" for column in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))
