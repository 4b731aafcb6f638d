"""The plot of the contest: `python -m benchmarks.rivals.plot FILE`, JSON rows (name, events a second, CPU µs an event, ours) on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "bench"  # the same figures give the same file

import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first

_OURS, _OTHERS = "#0b6e4f", "#9aa5b1"


def draw(rows: list[tuple[Any, ...]], target: Path) -> None:
    """Draw two bar charts side by side."""
    names = [row[0] for row in reversed(rows)]
    colours = [_OURS if row[3] else _OTHERS for row in reversed(rows)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 0.45 * len(rows) + 1.4), sharey=True, layout="constrained")
    for axes, column, title, shape in ((left, 1, "events a second, one process", "{:,.0f}"), (right, 2, "CPU µs an event", "{:.1f}")):
        values = [row[column] for row in reversed(rows)]
        bars = axes.barh(names, values, color=colours)
        axes.bar_label(bars, labels=[shape.format(value) for value in values], padding=3, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.16)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    draw([(name, float(rate), float(cpu), bool(ours)) for name, rate, cpu, ours in json.load(sys.stdin)], Path(sys.argv[1]))
