"""What a part of the benchmark found: a table for a person, and figures for a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

# In a file a table has the room that it needs.
CONSOLE = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 170)


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must be at most (or at least) a bound."""

    what: str
    figure: float
    bound: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    def line(self) -> str:
        """Return one line that says so."""
        relation = "at least" if self.at_least else "at most"
        return f"{'met   ' if self.met else 'MISSED'} {self.what}: {shown(self.figure)}{self.unit} ({relation} {shown(self.bound)}{self.unit})"


@dataclass(slots=True)
class Report:
    """The findings of one part.

    Args:
        name: the part.
        figures: by a name that is unique among all parts.
        targets: each met or missed.
    """

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)

    def add(self, figures: Mapping[str, float]) -> None:
        """Add figures."""
        self.figures.update(figures)

    def conclude(self) -> None:
        """Print the targets and the line of figures."""
        for target in self.targets:
            CONSOLE.print(f"  {target.line()}")
        CONSOLE.print(f"{self.name}: {line_of(self.figures)}")


def line_of(figures: Mapping[str, float]) -> str:
    """Return `name=value` pairs."""
    return " ".join(f"{name}={shown(value)}" for name, value in figures.items())


def shown(value: float) -> str:
    """Return a number without needless digits."""
    return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.2f}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers are right-justified."""
    drawn = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        drawn.add_row(*(shown(cell) if isinstance(cell, int | float) else str(cell) for cell in row))
    CONSOLE.print(drawn)


def say(text: str) -> None:
    """Print a line of progress."""
    CONSOLE.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {text}")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
