"""The customer events against their targets and their rivals: `python -m benchmarks.events [PART ...]` (docs/benchmarks.md)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import click

from benchmarks import backlog, engine, light, rivals_part, tracing
from benchmarks.command import run
from benchmarks.report import CONSOLE, Report, line_of

PARTS = ("rivals", "engine", "light", "backlog", "tracing")
# The backlog takes six minutes by itself.
_DEFAULT = PARTS[:3]


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option(
    "--events", default=200_000, show_default=True, type=click.IntRange(min=50_000), help="Measured in each run of rivals, engine and tracing."
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1), help="Of rivals, engine and tracing; medians are shown.")
@click.option("--backlog", "waiting", default=5_000_000, show_default=True, type=click.IntRange(min=200_000), help="Events of the backlog.")
def main(parts: tuple[str, ...], events: int, rounds: int, waiting: int) -> None:
    """Measure PARTS of the customer events (rivals, engine and light by default); each starts what it needs and leaves nothing."""
    measures: dict[str, Callable[[], Report]] = {
        "rivals": partial(rivals_part.measure, events, rounds),
        "engine": partial(engine.measure, events, rounds),
        "light": light.measure,
        "backlog": partial(backlog.measure, waiting),
        "tracing": partial(tracing.measure, events, rounds),
    }
    found: dict[str, Report] = {}
    for name in parts or _DEFAULT:
        CONSOLE.rule(f"{name} (load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores)")
        found[name] = measures[name]()
        found[name].conclude()
    met = sum(target.met for report in found.values() for target in report.targets)
    missed = sum(not target.met for report in found.values() for target in report.targets)
    CONSOLE.print(f"bench-events: targets_met={met} targets_missed={missed}")
    if "tracing" in found:
        CONSOLE.print(f"bench-tracing: {line_of(found['tracing'].figures)}")
    if "rivals" in found:
        CONSOLE.print(f"bench: {line_of(found['rivals'].figures)}")


if __name__ == "__main__":
    run(main, "bench-events")
