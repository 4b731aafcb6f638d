"""Everything goes wrong while customer events pass; then every place is counted: `python -m benchmarks.chaos_voc` (docs/benchmarks.md)."""

from __future__ import annotations

import random
import sys

import click

from benchmarks.chaos.trial import Plan, Trial
from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.report import say

PARTS = ("kafka", "postgres", "s3", "clickhouse", "recorder")


@click.command()
@click.option("--events", default=200_000, show_default=True, type=click.IntRange(min=100), help="Numbered ones; 5 % twice, and 1 % poison on top.")
@click.option("--kills", default=15, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=None, type=int, help="Of everything that happens; another each time by default.")
def main(events: int, kills: int, seed: int | None) -> None:
    """Kill, freeze and cut off three workers while events pass, restart ClickHouse and the broker, then count every place."""
    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - luck, not secrets
    say(f"chaos-voc: {events} events, {kills} kills, seed {seed}")
    with Field(parts=PARTS) as place:
        count = Trial(place.stack, place.settings, place.folder / "chaos", Plan(events=events, kills=kills, seed=seed)).run()
    for problem in count.problems:
        say(f"problem: {problem}")
    print(count.line())
    sys.exit(1 if count.problems else 0)


if __name__ == "__main__":
    run(main, "chaos-voc")
