"""`make chaos`: every fault of docs/chaos.md on the real stack, a line each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path

import click
import pytest

from tests.chaos.report import Report
from tests.chaos.rows import ROWS, Row

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / ".stack-test"
_LAST_LINE = re.compile(r"chaos: rows=(?P<rows>\d+) passed=(?P<passed>\d+) lost=(?P<lost>\d+) duplicated=(?P<duplicated>\d+)")


@click.command()
@click.argument("rows", nargs=-1, type=click.IntRange(1, len(ROWS)))
@click.option("--minutes", default=24.0, show_default=True, help="No test begins later.")
def main(rows: tuple[int, ...], minutes: float) -> None:
    """Run these ROWS, all by default; what pytest itself says goes to .stack-test/chaos-N.log."""
    chosen = [row for row in ROWS if not rows or row.number in rows]
    # Side by side: both mostly wait, for workers that start and time-outs that pass. Each has a stack of its own.
    lanes = [lane for lane in ([row for row in chosen if _is_crew_s(row)], [row for row in chosen if not _is_crew_s(row)]) if lane]
    sys.exit(_run(lanes[0], minutes) if len(lanes) == 1 else _run_side_by_side(lanes, minutes))


def _is_crew_s(row: Row) -> bool:
    return all(test.startswith("tests/chaos/") for test in row.tests)


def _run(rows: Sequence[Row], minutes: float) -> int:
    LOGS.mkdir(exist_ok=True)
    os.chdir(ROOT)
    # A descriptor of its own: pytest captures the usual one while a test runs.
    with os.fdopen(os.dup(1), "w", buffering=1) as out, (LOGS / f"chaos-{rows[0].number}.log").open("w") as log, redirect_stdout(log):
        report = Report(rows, lambda line: print(line, file=out), time.monotonic() + minutes * 60)
        tests = list(dict.fromkeys(test for row in rows for test in row.tests))
        code = pytest.main([*tests, "--integration", "--chaos", "-q", "-rA", "-p", "no:cacheprovider"], plugins=[report])
    return 0 if report.passed and code == 0 else 1


def _run_side_by_side(lanes: Sequence[Sequence[Row]], minutes: float) -> int:
    argv = [sys.executable, "-m", "tests.chaos", "--minutes", str(minutes)]
    children = [
        subprocess.Popen([*argv, *(str(row.number) for row in lane)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for lane in lanes
    ]
    try:
        with ThreadPoolExecutor(len(children)) as readers:
            sums = sum(readers.map(_pass_on, children), Counter[str]())
        codes = [child.wait() for child in children]
    finally:
        for child in children:
            child.terminate()
    click.echo(f"chaos: rows={sums['rows']} passed={sums['passed']} lost={sums['lost']} duplicated={sums['duplicated']}")
    return 1 if any(codes) or sums["rows"] != sums["passed"] else 0


def _pass_on(child: subprocess.Popen[str]) -> Counter[str]:
    """Print what a lane says as it comes; returns the figures of its last line."""
    figures: Counter[str] = Counter()
    for line in child.stdout or ():
        if found := _LAST_LINE.fullmatch(line.rstrip()):
            figures.update({name: int(figure) for name, figure in found.groupdict().items()})
        else:
            click.echo(line.rstrip("\n"))
    return figures


if __name__ == "__main__":
    main()
