"""What the demo shows while it runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.table import Table

from voc_stream.devstack.demo_events import Counts

STATES = ("polled", "downloaded", "scored", "not scorable", "exported", "missing", "dead-lettered")


@dataclass(slots=True)
class View:
    """What the simulator, PostgreSQL, Kafka and ClickHouse say now.

    Attributes:
        planned: how many calls there will be; None for no end.
        hung_up: calls that have ended.
        states: calls by their status in PostgreSQL.
        exported: calls that ClickHouse shows.
        events: customer events.
        last: why this is not newer than it is, if a server did not answer.
    """

    planned: int | None
    hung_up: int = 0
    states: Counter[str] = field(default_factory=Counter)
    exported: int = 0
    events: Counts = field(default_factory=Counts)
    last: str = ""

    def counts(self) -> dict[str, int]:
        """Return how many calls have come how far."""
        states = self.states
        known = sum(states.values()) - states["UNKNOWN"]
        return {
            "polled": known,
            "downloaded": states["DOWNLOADED"] + states["SCORED"] + states["NOT_SCORABLE"],
            "scored": states["SCORED"],
            "not scorable": states["NOT_SCORABLE"],
            "exported": self.exported,
            "missing": states["MISSING"],
            "dead-lettered": states["ERROR"],
        }

    @property
    def calls_done(self) -> bool:
        """Whether every planned call has ended in a final state and is exported."""
        counts = self.counts()
        final = counts["scored"] + counts["not scorable"] + counts["missing"] + counts["dead-lettered"]
        return self.planned is not None and final >= self.planned and counts["exported"] >= counts["scored"] + counts["not scorable"]

    def line(self) -> str:
        """Return all of it in one line."""
        counts = " ".join(f"{name.replace(' ', '_')}={count}" for name, count in self.counts().items())
        planned = "endless" if self.planned is None else self.planned
        return f"hung_up={self.hung_up}/{planned} {counts} events_sent={self.events.sent} events_stored={self.events.stored}"

    def table(self) -> Table:
        """Return it as a table for a terminal."""
        table = Table(title="calls and customer events", caption=self.last or "Ctrl-C stops everything")
        for name in ("hung up", *STATES, "events sent", "events stored"):
            table.add_column(name, justify="right")
        counts = self.counts()
        hung_up = f"{self.hung_up} of {'∞' if self.planned is None else self.planned}"
        table.add_row(hung_up, *(str(counts[name]) for name in STATES), *map(str, self.events))
        return table
