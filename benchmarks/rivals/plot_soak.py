"""The plot of a soak: `python -m benchmarks.rivals.plot_soak FILE`, what `benchmarks.soak` noted as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "soak"  # the same figures give the same file

import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen first

_COLOURS = ("#0b6e4f", "#c8553d", "#3d5a80")
_FIGURES = (
    ("rss_mib", "resident memory, MiB"),
    ("files", "file descriptors"),
    ("threads", "threads"),
    ("table_rows", "rows of tables"),
    ("table_mib", "tables on disk, MiB"),
)


def draw(data: dict[str, Any], target: Path) -> None:
    """Draw a panel a figure, a line a process (a worker that was ended begins a new one), and the moments of trouble."""
    figure, panels = plt.subplots(len(_FIGURES) + 1, 1, figsize=(11, 13), sharex=True, layout="constrained")
    for axes, (name, title) in zip(panels, _FIGURES, strict=False):
        for worker in range(len(_COLOURS)):
            _lines(axes, [sample for sample in data["samples"] if sample["worker"] == worker], name, worker)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_ylim(bottom=0)
    panels[0].legend(loc="lower right", fontsize=8)
    panels[-1].plot([at / 60 for at, _ in data["lags"]], [lag for _, lag in data["lags"]], color="#555555", linewidth=1)
    panels[-1].set_title("events not committed", fontsize=10, loc="left")
    panels[-1].set_xlabel("minutes; a dotted line is a kill, a stop, a sleep or an outage")
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        for at, _ in data["happened"]:
            axes.axvline(at / 60, color="#bbbbbb", linewidth=0.6, linestyle=":")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


def _lines(axes: Any, samples: list[dict[str, Any]], name: str, worker: int) -> None:
    label = f"worker {worker}" + (", never ended" if worker == 0 else "")
    for pid in dict.fromkeys(sample["pid"] for sample in samples):
        own = [sample for sample in samples if sample["pid"] == pid]
        axes.plot([sample["at"] / 60 for sample in own], [sample[name] for sample in own], color=_COLOURS[worker], linewidth=1, label=label)
        label = "_"


if __name__ == "__main__":
    draw(json.load(sys.stdin), Path(sys.argv[1]))
