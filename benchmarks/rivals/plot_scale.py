"""The plot of scaling: `python -m benchmarks.rivals.plot_scale FILE`, what `benchmarks.scale` noted as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "scale"  # the same figures give the same file

import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first

_COLOUR = "#0b6e4f"
# A window of 2,000 rows comes at once: over shorter stretches the rate is only jagged.
_SMOOTH = 12


def draw(data: dict[str, Any], target: Path) -> None:
    """Draw events a second and what is left of the backlog, with the moments at which a worker joined."""
    samples = data["samples"]
    began = samples[0]["at"]
    at = [sample["at"] - began for sample in samples]
    rows = [sample["rows"] for sample in samples]
    rates = [(rows[i] - rows[i - _SMOOTH]) / (at[i] - at[i - _SMOOTH]) for i in range(_SMOOTH, len(rows))]
    figure, (above, below) = plt.subplots(2, 1, figsize=(10, 5.5), sharex=True, layout="constrained")
    above.plot([(at[i] + at[i - _SMOOTH]) / 2 for i in range(_SMOOTH, len(rows))], rates, color=_COLOUR, linewidth=1.2)
    above.set_title("events stored a second (mean of 3 s)", fontsize=10, loc="left")
    below.plot(at, [(data["events"] - count) / 1e6 for count in rows], color=_COLOUR, linewidth=1.2)
    below.set_title("events waiting, millions", fontsize=10, loc="left")
    below.set_xlabel("seconds since the first worker was started; a dotted line is a worker that joins")
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        for moment, _ in data["moments"]:
            axes.axvline(moment - began, color="#888888", linewidth=0.8, linestyle=":")
    for moment, label in data["moments"]:
        above.annotate(label, (moment - began, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -9), textcoords="offset points", fontsize=9)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), Path(sys.argv[1]))
