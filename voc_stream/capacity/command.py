"""`faust -A voc_stream capacity`: what a load takes, from what was measured (docs/capacity.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from voc_stream.capacity.measured import MEASURED
from voc_stream.capacity.model import Load, capacity_of
from voc_stream.capacity.prices import Prices, cost_a_month
from voc_stream.capacity.tables import lines_of, with_tables
from voc_stream.settings import Settings

_POSITIVE = click.FloatRange(min=0, min_open=True)
_NOT_NEGATIVE = click.FloatRange(min=0)

OPTIONS = (
    click.option("--calls-per-hour", type=_NOT_NEGATIVE, default=1_000.0, show_default=True, help="At the busiest time."),
    click.option("--events-per-second", type=_NOT_NEGATIVE, default=100.0, show_default=True, help="At the busiest time."),
    click.option("--mean-of-peak", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Mean of day and night, of that."),
    click.option("--call-seconds", type=_POSITIVE, default=180.0, show_default=True, help="A call's length."),
    click.option("--recording-bytes-per-second", type=_POSITIVE, default=32_000.0, show_default=True, help="8 kHz, 16 bits, two channels: 32,000."),
    click.option("--replay-seconds", type=_POSITIVE, default=1.0, show_default=True, help="That the recorder takes for a recording."),
    click.option("--busy", type=click.FloatRange(0.1, 1), default=0.7, show_default=True, help="Of a core, at the busiest time."),
    click.option("--replication", type=click.IntRange(1, 5), default=3, show_default=True, help="Of Kafka's topics."),
    click.option("--copies", type=click.IntRange(1, 5), default=2, show_default=True, help="Of ClickHouse's data."),
    click.option("--event-days", type=_POSITIVE, default=365.0, show_default=True, help="For so long events are kept."),
    *(
        click.option(f"--price-{field.name.replace('_', '-')}", field.name, type=_NOT_NEGATIVE, help="A unit's price, for a cost a month.")
        for field in fields(Prices)
    ),
    click.option("--write", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Only make the tables of this document anew."),
)


async def run(_: Settings, echo: Callable[[str], None], *, write: Path | None, **asked: Any) -> int:
    """Print what a load takes, or write the tables of a document; returns 0.

    Args:
        echo: takes each line.
        write: the document.
        asked: the fields of `Load` and of `Prices`.
    """
    if write is not None:
        _write(write)
        return 0
    prices = Prices(**{field.name: asked.pop(field.name) for field in fields(Prices)})
    load = Load(**asked)
    capacity = capacity_of(load, MEASURED)
    for line in lines_of(capacity):
        echo(line)
    cost, without = cost_a_month(capacity, prices)
    if cost is not None:
        echo(f"a month costs {cost:,.2f}" + (f" without {', '.join(without)}" if without else ""))
    echo(f"capacity: workers={capacity.workers} scorers={capacity.scorers} cores={capacity.cores:.0f} partitions={capacity.event_partitions}")
    return 0


def _write(document: Path) -> None:
    document.write_text(with_tables(document.read_text(encoding="utf-8"), MEASURED), encoding="utf-8")
