"""A server as the scenarios describe one: how long it takes and when it refuses, by what it has to do at the moment."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum, auto


class Answer(Enum):
    """What a request comes to."""

    OK = auto()
    REFUSED = auto()
    NEVER = auto()


@dataclass(slots=True)
class Server:
    """Seconds, and requests at once.

    Args:
        delay: of a request that is alone.
        jitter: mean of what is added at random (exponentially distributed), as a share of `delay`.
        scale: what each further request in flight adds, as a share of `delay`.
        knee: requests in flight from which on each further one multiplies the delay by `knee_factor`.
        knee_factor: see `knee`.
        soft: requests in flight with which the delay is twice as long; it grows with their square.
        places: requests served side by side; more wait their turn.
        most: requests in flight above which it refuses, after `delay`.
        drops: whether it never answers instead.
        rate: requests begun within a second above which it refuses.
        retry_after: seconds that a refusal asks to wait, for all requests.
    """

    delay: float
    jitter: float = 0.0
    scale: float = 0.0
    knee: int = 0
    knee_factor: float = 1.0
    soft: int = 0
    places: int = 0
    most: int | None = None
    drops: bool = False
    rate: int | None = None
    retry_after: float = 0.0

    def answer(self, level: int, rate: int, chance: random.Random) -> tuple[Answer, float]:
        """Return what a request comes to and after how many seconds; `level` and `rate` include it."""
        jitter = self.jitter * chance.expovariate(1.0) if self.jitter else 0.0
        if (self.most is not None and level > self.most) or (self.rate is not None and rate > self.rate):
            return (Answer.NEVER, 0.0) if self.drops else (Answer.REFUSED, self.delay * (1 + jitter))
        slowed = 1 + self.scale * (level - 1)
        if self.knee:
            slowed += self.knee_factor ** max(0, level - self.knee) - 1
        if self.soft:
            slowed *= 1 + (level / self.soft) ** 2
        if self.places:
            slowed *= max(1.0, level / self.places)
        return Answer.OK, self.delay * (slowed + jitter)
