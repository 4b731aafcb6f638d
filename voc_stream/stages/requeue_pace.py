"""How fast dead letters go back while their topic is busy with live traffic (spec section 6)."""

from __future__ import annotations

from dataclasses import dataclass

# While anything may be sent at all, the rate falls no lower than this share of it: slower would be hard to tell from a stop.
_LEAST = 0.1


@dataclass(frozen=True, slots=True)
class RequeuePace:
    """The rate for one topic: full below half of the lag that is too much, then falling evenly to a tenth, and none from that lag on.

    Args:
        rate: records a second at most.
        max_lag: records that the group is behind by when nothing more is added.
    """

    rate: float
    max_lag: int

    def at(self, lag: int) -> float:
        """Return the records a second that a topic with this lag may get; 0: wait."""
        if lag >= self.max_lag:
            return 0.0
        return self.rate * min(1.0, max(_LEAST, 2 * (self.max_lag - lag) / self.max_lag))

    def seconds(self, records: int, lag: int) -> float | None:
        """Return how long so many records take; None while nothing may be sent."""
        rate = self.at(lag)
        return records / rate if rate else None

    @property
    def at_once(self) -> int:
        """How many records go together: a second's worth, and no more than a few, which may be of a megabyte each."""
        return max(1, min(20, int(self.rate)))
