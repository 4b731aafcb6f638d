"""The contest as a part of `make bench`: its table, its targets, its plot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from benchmarks.black_hole import black_hole
from benchmarks.contest import FAUST, FULL, PLAIN, Standing, contest, fill_course
from benchmarks.field import Field
from benchmarks.report import Report, Target, say, table
from benchmarks.rival_process import PYTHON
from voc_stream.devstack.worker_process import ROOT

PLOT = ROOT / "docs" / "img" / "bench-events.svg"
# ClickHouse answers what a worker asks at its start; PostgreSQL, S3 and the recorder are there so that nothing of the calls pipeline tries in vain.
PARTS = ("kafka", "postgres", "s3", "clickhouse", "recorder")
_COLUMNS = ("", "worker", "events/s", "CPU µs", "peak RSS MiB", "delivery", "(a) is x times", "(b) is x times", "load before", "stolen")


def measure(events: int, rounds: int) -> Report:
    """Let all run over the same events, so many rounds."""
    with Field(parts=PARTS) as field, black_hole(int(field.settings.clickhouse_port)) as hole:
        standings = contest(fill_course(field, hole, events), rounds)
    by_letter = {standing.contestant.letter: standing for standing in standings}
    plain, full = by_letter[PLAIN.letter], by_letter[FULL.letter]
    table(
        f"{events} events of 440 bytes, 40 % of them calls of 52 words; {rounds} rounds, medians (load: the highest)",
        _COLUMNS,
        [_row(standing, plain, full) for standing in standings],
    )
    _draw(standings)
    report = Report("rivals", figures=figures(standings))
    report.targets = _targets(report.figures)
    return report


def figures(standings: Sequence[Standing]) -> dict[str, float]:
    """Return the ratios of the last line; the rival is the fastest of those that are listed and commit."""
    by_letter = {standing.contestant.letter: standing for standing in standings}
    plain, full, faust = (by_letter[contestant.letter] for contestant in (PLAIN, FULL, FAUST))
    rivals = [found for found in standings if found.contestant.module and found.contestant.commits and found.contestant.listed]
    fastest = max(rivals, key=lambda standing: standing.per_second)
    return {
        "plain_vs_rival": plain.per_second / fastest.per_second,
        "plain_vs_faust": plain.per_second / faust.per_second,
        "full_vs_rival": full.per_second / fastest.per_second,
        "full_vs_faust": full.per_second / faust.per_second,
        "plain_cpu_us": plain.cpu_us,
        "full_cpu_us": full.cpu_us,
        "rss_mb": max(plain.peak_mib, full.peak_mib),
    }


def _targets(found: dict[str, float]) -> list[Target]:
    return [
        Target("(a) against the fastest rival that commits", found["plain_vs_rival"], 3.0, " x", at_least=True),
        Target("(a) against stock Faust", found["plain_vs_faust"], 7.0, " x", at_least=True),
        Target("(b) against the fastest rival that commits, which does less", found["full_vs_rival"], 1.5, " x", at_least=True),
        Target("(b) against stock Faust, which does less", found["full_vs_faust"], 4.0, " x", at_least=True),
    ]


def _row(standing: Standing, plain: Standing, full: Standing) -> tuple[object, ...]:
    who = standing.contestant
    ratios = (plain.per_second / standing.per_second, full.per_second / standing.per_second)
    return (
        who.letter,
        who.name,
        round(standing.per_second),
        round(standing.cpu_us, 1),
        round(standing.peak_mib),
        who.guarantee,
        *(round(ratio, 2) for ratio in ratios),
        round(standing.load, 1),
        round(standing.stolen, 2),
    )


def _draw(standings: Sequence[Standing]) -> None:
    # What only counts would leave the others no room.
    rows = [
        (f"({found.contestant.letter}) {found.contestant.name}", found.per_second, found.cpu_us, found.contestant.module is None)
        for found in standings
        if found.contestant.letter != "h"
    ]
    subprocess.run([PYTHON, "-m", "benchmarks.rivals.plot", PLOT], input=json.dumps(rows), text=True, cwd=ROOT, check=True, timeout=60)
    say(f"plot: {PLOT.relative_to(ROOT)}")
