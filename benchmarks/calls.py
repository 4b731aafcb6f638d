"""The calls pipeline against its targets: `python -m benchmarks.calls [PART ...]` (docs/benchmarks.md)."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from benchmarks import arrivals, counting, downloads, memory, scoring
from benchmarks.command import run
from benchmarks.report import CONSOLE, Report, line_of

PARTS: dict[str, Callable[[], Report]] = {
    "runtime": counting.measure,
    "memory": memory.measure,
    "downloads": downloads.measure,
    "scoring": scoring.measure,
    "arrivals": arrivals.measure,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Measure PARTS of the calls pipeline, all by default; each starts what it needs and leaves nothing."""
    figures: dict[str, float] = {}
    met = missed = 0
    for name in parts or PARTS:
        load = os.getloadavg()[0]
        CONSOLE.rule(f"{name} (load before: {load:.2f} on {os.cpu_count()} cores)")
        report = PARTS[name]()
        report.conclude()
        figures |= {f"{name}_{figure}": value for figure, value in report.figures.items()} | {f"{name}_load_before": load}
        met += sum(target.met for target in report.targets)
        missed += sum(not target.met for target in report.targets)
    CONSOLE.print(f"bench-calls: targets_met={met} targets_missed={missed} {line_of(figures)}")


if __name__ == "__main__":
    run(main, "bench-calls")
