"""The axis on which confidence intervals are drawn: one for all rows of a table, so that they can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

# Ends of the axis are multiples of this.
_STEP = 5.0
# With fewer scored calls the reader is told that there are few, whatever the interval.
FEW = 10


@dataclass(frozen=True, slots=True)
class Axis:
    """From the lowest value to the highest."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float | None]) -> Self:
        """Return an axis on which all the values lie; scores' own, 0 to 100, where there are none."""
        known = [value for value in values if value is not None]
        if not known:
            return cls(0.0, 100.0)
        low, high = _STEP * math.floor(min(known) / _STEP), _STEP * math.ceil(max(known) / _STEP)
        return cls(low, high if high > low else low + _STEP)

    def at(self, value: float) -> str:
        """Return where a value lies, in hundredths of the axis, for an SVG attribute."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(max(share, 0.0), 1.0):.2f}"
