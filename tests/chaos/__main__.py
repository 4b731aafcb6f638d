"""`make chaos`: every fault of docs/chaos.md on the real stack, a line each."""

from __future__ import annotations

import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import click
import pytest

from tests.chaos.report import Report
from tests.chaos.rows import ROWS

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / ".stack-test" / "chaos.log"


@click.command()
@click.argument("rows", nargs=-1, type=click.IntRange(1, len(ROWS)))
@click.option("--minutes", default=24.0, show_default=True, help="No test begins later.")
def main(rows: tuple[int, ...], minutes: float) -> None:
    """Run these ROWS, all by default; what pytest itself says goes to .stack-test/chaos.log."""
    LOG.parent.mkdir(exist_ok=True)
    chosen = [row for row in ROWS if not rows or row.number in rows]
    # A descriptor of its own: pytest captures the usual one while a test runs.
    with os.fdopen(os.dup(1), "w", buffering=1) as out, LOG.open("w") as log, redirect_stdout(log):
        report = Report(chosen, lambda line: print(line, file=out), time.monotonic() + minutes * 60)
        tests = list(dict.fromkeys(test for row in chosen for test in row.tests))
        os.chdir(ROOT)
        code = pytest.main([*tests, "--integration", "--chaos", "-q", "-rA", "-p", "no:cacheprovider"], plugins=[report])
    sys.exit(0 if report.passed and code == 0 else 1)


if __name__ == "__main__":
    main()
