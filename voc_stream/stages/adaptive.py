"""How many requests at once a dependency is given, by how it answers them (spec section 2, ADR 0018).

The controller is told what begins and how it ends; it has no clock. It thinks in rounds: as many requests as there are places, begun one after the
other; when all of them have ended it compares their latency with the usual one and decides. In short:

- full and not slow: more places, quickly at first, one at a time near what went wrong last, and there the rarer the more often it went wrong;
- refused (503, 429, a time-out): back to what passed last, or by the share that passed, to half at most;
- slow for two rounds: a quarter less, to see. Where that helps, so it stays. Where it changes nothing, the dependency itself has become slower, and
  the places are given back: fewer of them would only mean fewer answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Why = Literal["start", "growing", "refused", "slower", "trial", "restored"]

# A round has at least so many requests, however few places there are: of fewer no mean can be told.
_SMALLEST_ROUND = 6
# Slower than usual means: by this share, and by so many standard errors of the round's mean, so that jitter is none.
_SLOWER = 0.12
_ERRORS = 2.0
_SLOW_ROUNDS = 2
# Fewer places are worth their while if latency falls by more than this power of their number: 1 is a queue, 0 a link that does not care.
_WORTH = 2 / 3
_LESS = 3 / 4
# Less than this power is no help at all.
_NOTHING = 1 / 8
# Full rounds until it is tried for the first time whether fewer places would do as well: soon, since it begins at the ceiling.
_FIRST_LOOK = 2
# Latencies to wait before what went wrong is tried again.
_FIRST_HOLD = 2
_LONGEST_HOLD = 64
# So far beyond what went wrong it is forgotten.
_BEYOND = 1.25
_LEAST_CUT, _LARGEST_CUT = 0.9, 0.5


class Ticket(NamedTuple):
    """Names a request that has begun: its round, and whether the round waits for it."""

    round: int
    counted: bool


class Seen(NamedTuple):
    """A round's latency and the standard error of it, in the caller's unit."""

    mean: float
    error: float


class Controller:
    """Decides how many places there are.

    Args:
        floor: never fewer, unless the ceiling is lower.
        ceiling: never more; it begins there.
        chance: random numbers from 0 to 1, so that workers that share a dependency do not all ask for more in the same moment.
        slack: what is no slowness of the dependency's, in the latencies' unit: a busy worker may come to read an answer by so much too late.

    Attributes:
        limit: places now.
        usual: what latency is without crowding, as far as it was seen.
        why: what set the limit.
    """

    def __init__(self, floor: int, ceiling: int, chance: Callable[[], float], slack: float = 0.0) -> None:
        self._slack = slack
        self.floor = min(floor, ceiling)
        self.ceiling = ceiling
        self.limit = ceiling
        self.usual: float | None = None
        self.why: Why = "start"
        self._chance = chance
        self._round = _Round(0, self._round_size())
        self._lowered_in = 0
        self._safe = 0
        self._trouble: int | None = None
        self._hold = 0.0
        self._patience = _FIRST_HOLD
        self._calm = True
        self._step = 1
        self._slow_rounds = 0
        self._look_in = _FIRST_LOOK
        self._together = False
        self._trial: _Trial | None = None
        self._settling = 0

    def look(self) -> None:
        """Try soon whether fewer places would do as well.

        To be called now and then, by all workers that share a dependency at the same moment: what a single one adds to the crowding may be too
        little to be seen.
        """
        self._look_in = 0
        self._together = True

    def begin(self, in_use: int) -> Ticket:
        """Note that a request begins; `in_use` places are taken now, its own included."""
        return Ticket(self._round.number, self._round.begin(full=in_use >= self.limit, in_use=in_use))

    def answered(self, ticket: Ticket, latency: float) -> None:
        """Note that the dependency did what it was asked to."""
        if self._waits_for(ticket):
            self._round.add(latency)
            self._round.ended += 1
            self._perhaps_decide()

    def refused(self, ticket: Ticket) -> None:
        """Note that the dependency had too much to do: 503, 429, no answer in time."""
        if ticket.round < self._lowered_in:
            return
        self._round.refused += 1
        self._round.ended += 1
        self._perhaps_decide()

    def left(self, ticket: Ticket) -> None:
        """Note that a request ended in a way that tells nothing of the dependency's load."""
        if self._waits_for(ticket):
            self._round.ended += 1
            self._perhaps_decide()

    def _waits_for(self, ticket: Ticket) -> bool:
        return ticket.counted and ticket.round == self._round.number

    def _perhaps_decide(self) -> None:
        now = self._round
        if now.refused and now.ended * 2 >= now.size:
            self._back_off()
        elif now.ended >= now.size:
            self._look_at(now)
        else:
            return
        self._round = _Round(now.number + 1, self._round_size())

    def _round_size(self) -> int:
        return max(self.limit, _SMALLEST_ROUND)

    def _back_off(self) -> None:
        now, limit = self._round, self.limit
        self._trial, self._settling = None, 0
        if 0 < self._safe < limit:
            to, self._safe = self._safe, int(self._safe * _LEAST_CUT)
        else:
            passed = now.answers / (now.answers + now.refused)
            to = int(max(limit * _LARGEST_CUT, min(limit, now.peak) * min(max(passed, _LARGEST_CUT), _LEAST_CUT)))
            self._safe = 0
        if self._calm:
            self._went_wrong_at(limit)
        self._lower(min(to, limit - 1), "refused")

    def _look_at(self, now: _Round) -> None:
        seen = now.seen()
        if seen is None:
            return
        slow = self.usual is not None and seen.mean > self.usual * (1 + _SLOWER) + _ERRORS * seen.error + self._slack
        usual = seen.mean + 2 * seen.error
        self.usual = usual if self.usual is None else min(self.usual, usual)
        if self._settling > 0:
            self._settling -= 1
        elif self._trial is not None:
            self._judge(self._trial, seen, slow=slow, full=now.is_full)
        elif now.is_full:
            self._go_on(seen, slow=slow)
        else:
            self._slow_rounds = 0

    def _go_on(self, seen: Seen, *, slow: bool) -> None:
        self._safe = self.limit
        self._slow_rounds = self._slow_rounds + 1 if slow else 0
        if self._look_in > 0:
            self._look_in -= 1
        if self._look_in == 0 or self._slow_rounds >= _SLOW_ROUNDS:
            self._try_less(_Trial(self.limit, seen, slow))
        elif not slow:
            self._calm = True
            self._grow()

    def _grow(self) -> None:
        if self.limit >= self.ceiling:
            return
        if self._trouble is not None and self.limit > self._trouble * _BEYOND:
            self._forget_trouble()
        if self._trouble is None:
            step = self._step
            self._step = min(2 * step, max(1, self.limit // 4))
        elif self.limit + 1 < self._trouble:
            step = max(1, (self._trouble - 1 - self.limit) // 2)
        elif self.limit + 1 == self._trouble and self._hold > 0:
            self._hold -= self._round.size / self.limit
            return
        else:
            step = 1
        self.limit, self.why = min(self.limit + step, self.ceiling), "growing"

    def _try_less(self, trial: _Trial) -> None:
        if not trial.further:
            self._settling, self._together = int(self._together), False
        self._look_in, self._slow_rounds = -1, 0
        if self.limit > self.floor:
            self._trial = trial
            self._lower(min(int(self.limit * _LESS), self.limit - 1), "trial")

    def _judge(self, trial: _Trial, seen: Seen, *, slow: bool, full: bool) -> None:
        self._trial = None
        if full and trial.helped(self.limit, seen, _WORTH, self._slack):
            self.why = "slower"
            self._went_wrong_at(trial.limit)
            self._try_less(_Trial(self.limit, seen, slow, further=True))
        elif full and (trial.helped(self.limit, seen, _NOTHING, self._slack) if slow else trial.slow):
            self.why = "slower"
            self._went_wrong_at(trial.limit)
        else:
            if full and slow:
                self.usual = seen.mean + 2 * seen.error
                self._forget_trouble()
            self.limit, self.why = trial.limit, "slower" if trial.further else "restored"
            if trial.further:
                self._trouble = trial.limit + 1

    def _lower(self, to: int, why: Why) -> None:
        self.limit, self.why = max(self.floor, to), why
        self._lowered_in = self._round.number + 1

    def _went_wrong_at(self, limit: int) -> None:
        self._trouble = max(limit, self.floor + 1)
        self._hold = self._patience * (0.5 + self._chance())
        self._step = 1
        if self._calm:
            self._patience = min(2 * self._patience, _LONGEST_HOLD)
            self._calm = False

    def _forget_trouble(self) -> None:
        self._trouble = None
        self._patience = _FIRST_HOLD
        self._step = 1


def lowered(ceiling: int, floor: int, *, lag: int, threshold: int) -> int:
    """Return how many downloads there may be while scoring lags by so many calls: all up to the threshold (0: none), half at twice as many."""
    return ceiling if threshold == 0 or lag <= threshold else max(floor, ceiling * threshold // lag)


@dataclass(slots=True)
class _Round:
    """Requests that are judged together; the mean and the spread of their latency are kept as they come (Welford)."""

    number: int
    size: int
    begun: int = 0
    full: int = 0
    peak: int = 0
    ended: int = 0
    refused: int = 0
    answers: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def begin(self, *, full: bool, in_use: int) -> bool:
        self.peak = max(self.peak, in_use)
        if self.begun >= self.size:
            return False
        self.begun += 1
        self.full += full
        return True

    def add(self, latency: float) -> None:
        self.answers += 1
        off = latency - self.mean
        self.mean += off / self.answers
        self.squares += off * (latency - self.mean)

    @property
    def is_full(self) -> bool:
        """Whether the places were taken: else their number has had no part in what was seen."""
        return self.full * 2 >= self.size

    def seen(self) -> Seen | None:
        if self.answers < 2:
            return None
        return Seen(self.mean, math.sqrt(self.squares / (self.answers - 1) / self.answers))


class _Trial(NamedTuple):
    """What was before fewer places were tried; `further`: fewer had helped already."""

    limit: int
    seen: Seen
    slow: bool
    further: bool = False

    def helped(self, limit: int, seen: Seen, power: float, slack: float) -> bool:
        fell = self.seen.mean - seen.mean - slack
        enough = self.seen.mean * (1 - (limit / self.limit) ** power)
        return fell >= enough and fell > 2 * math.hypot(self.seen.error, seen.error)
