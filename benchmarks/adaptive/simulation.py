"""Workers that ask one server, each with a controller of its own, on a clock that jumps from event to event."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.adaptive.server import Answer, Server
from voc_stream.stages.adaptive import Controller, Ticket

# A worker looks every five minutes; that much time need not pass here.
LOOK_SECONDS = 60.0


@dataclass(slots=True)
class Sender:
    """One worker.

    Args:
        controller: gives its places.
        start: when it begins.
        interval: seconds between its requests; 0: there is always another.
    """

    controller: Controller
    start: float = 0.0
    interval: float = 0.0
    in_use: int = 0
    waiting: int = 0
    paused_until: float = 0.0


@dataclass(slots=True)
class Level:
    """A quantity over time, of which the mean is wanted from some moment on."""

    since: float
    value: float = 0.0
    changed: float = 0.0
    area: float = 0.0
    lowest: float = float("inf")

    def set(self, now: float, value: float) -> None:
        self._pass(now)
        self.value = value
        if now >= self.since:
            self.lowest = min(self.lowest, value)

    def mean(self, now: float) -> float:
        self._pass(now)
        return self.area / (now - self.since)

    def _pass(self, now: float) -> None:
        self.area += self.value * max(0.0, now - max(self.changed, self.since))
        self.changed = now


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen once all had settled.

    Args:
        at_once: mean of the requests in flight at the server.
        limits: mean of each sender's places.
        lowest: the fewest places that the first sender had.
        per_second: answers.
        refused: share of the requests that came to nothing.
    """

    at_once: float
    limits: Sequence[float]
    lowest: float
    per_second: float
    refused: float


@dataclass(slots=True)
class Simulation:
    """A run of so many seconds, which are counted from `settled` on.

    Args:
        server: what is asked.
        senders: who ask.
        seconds: length of the run.
        settled: from when on it is measured.
        changes: what becomes of the server, and when.
        time_out: seconds after which a request is given up.
        seed: of all chance.
    """

    server: Server
    senders: Sequence[Sender]
    seconds: float
    settled: float
    changes: Sequence[tuple[float, Mapping[str, object]]] = ()
    time_out: float = 30.0
    seed: int = 1
    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _recent: deque[float] = field(default_factory=deque)
    _level: int = 0
    _answered: int = 0
    _refused: int = 0

    def run(self) -> Outcome:
        """Let the time pass."""
        chance = random.Random(self.seed)  # noqa: S311 - a simulation wants seeded randomness, not secrets
        at_once = Level(self.settled)
        limits = [Level(self.settled) for _ in self.senders]
        for at, change in self.changes:
            self._at(at, partial(self._change, change))
        for moment in range(1, int(self.seconds / LOOK_SECONDS)):
            self._at(moment * LOOK_SECONDS, self._look)
        for sender in self.senders:
            # Not all in the same instant: no two workers are that much alike.
            self._at(sender.start + chance.random() * self.server.delay, partial(self._arrive, sender, chance))
        while self._events and self._events[0][0] <= self.seconds:
            self.now, _, act = heapq.heappop(self._events)
            act()
            at_once.set(self.now, self._level)
            for level, sender in zip(limits, self.senders, strict=True):
                level.set(self.now, sender.controller.limit)
        ended = self._answered + self._refused
        return Outcome(
            at_once=at_once.mean(self.seconds),
            limits=[level.mean(self.seconds) for level in limits],
            lowest=limits[0].lowest,
            per_second=self._answered / (self.seconds - self.settled),
            refused=self._refused / ended if ended else 0.0,
        )

    def _at(self, time: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), act))

    def _change(self, change: Mapping[str, object]) -> None:
        for name, value in change.items():
            setattr(self.server, name, value)

    def _look(self) -> None:
        for sender in self.senders:
            sender.controller.look()

    def _arrive(self, sender: Sender, chance: random.Random) -> None:
        sender.waiting += 1
        if sender.interval:
            self._at(self.now + sender.interval, partial(self._arrive, sender, chance))
        self._send(sender, chance)

    def _send(self, sender: Sender, chance: random.Random) -> None:
        if self.now < sender.paused_until:
            return
        while sender.in_use < sender.controller.limit and (sender.waiting or not sender.interval):
            sender.waiting -= bool(sender.interval)
            sender.in_use += 1
            ticket = sender.controller.begin(sender.in_use)
            while self._recent and self._recent[0] <= self.now - 1.0:
                self._recent.popleft()
            self._recent.append(self.now)
            self._level += 1
            answer, took = self.server.answer(self._level, len(self._recent), chance)
            if answer is Answer.NEVER:
                # As if it had never come: the server knows nothing of it, and the sender waits in vain.
                self._level -= 1
            late = answer is Answer.NEVER or took > self.time_out
            end = partial(self._end, sender, chance, ticket, began=self.now, answer=Answer.NEVER if late else answer, held=answer is not Answer.NEVER)
            self._at(self.now + (self.time_out if late else took), end)

    def _end(self, sender: Sender, chance: random.Random, ticket: Ticket, *, began: float, answer: Answer, held: bool) -> None:
        self._level -= held
        sender.in_use -= 1
        counted = self.now >= self.settled
        if answer is Answer.OK:
            self._answered += counted
            sender.controller.answered(ticket, self.now - began)
        else:
            self._refused += counted
            # It is asked again, as a record is: nothing is lost.
            sender.waiting += bool(sender.interval)
            sender.controller.refused(ticket)
            if answer is Answer.REFUSED and self.server.retry_after:
                sender.paused_until = self.now + self.server.retry_after
                self._at(sender.paused_until, partial(self._send, sender, chance))
        self._send(sender, chance)
