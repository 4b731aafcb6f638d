"""What goes wrong, and when: drawn before the run begins, so that a seed tells it all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

What = Literal["kill", "freeze", "wake", "restart clickhouse", "restart kafka"]


@dataclass(frozen=True, slots=True, order=True)
class Incident:
    """Something goes wrong, so many seconds after the workers' start."""

    at: float
    what: What


def timeline(kills: int, apart: tuple[float, float], frozen_seconds: float, chance: random.Random, *, servers: bool = True) -> Sequence[Incident]:
    """Draw the incidents of a run.

    Args:
        kills: SIGKILLs.
        apart: seconds between two kills, at least and at most.
        frozen_seconds: how long the one that is stopped stays so: beyond its session.
        chance: draws.
        servers: whether ClickHouse and the broker are restarted once, too.
    """
    at = 0.0
    found: list[Incident] = []
    for _ in range(kills):
        at += chance.uniform(*apart)
        found.append(Incident(at, "kill"))
    asleep = at * chance.uniform(0.2, 0.4)
    found += [Incident(asleep, "freeze"), Incident(asleep + frozen_seconds, "wake")]
    if servers:
        found.append(Incident(at * chance.uniform(0.5, 0.65), "restart clickhouse"))
        found.append(Incident(at * chance.uniform(0.7, 0.85), "restart kafka"))
    return sorted(found)
