"""The scenarios: those of Vector's tests/data/adaptive-concurrency by their names there, and further ones that a recorder or a scorer may be like.

`optimum` is how many requests at once are right: the fewest with which the server answers as many a second as it can; of one that slows down softly
those with which answers a second by latency are most; where less is asked than that, what the demand comes to.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.adaptive.server import Server
from benchmarks.adaptive.simulation import Outcome, Sender, Simulation
from voc_stream.stages.adaptive import Controller

CEILING = 32


@dataclass(frozen=True, slots=True)
class Scenario:
    """A server and who asks it.

    Args:
        name: what is the matter.
        server: as it is at first.
        optimum: requests at once, at the server.
        best: answers a second with them.
        published: the mean in flight that Vector's test of that name expects of Vector, which begins at 1 and ends after 100 to 1000 requests.
        interval: between requests; 0: there is always another.
        starts: when each sender begins.
        floor: of the places.
        ceiling: of the places.
        changes: of the server.
        seconds: length of the run.
        settled: from when on it is measured.
        time_out: of a request.
    """

    name: str
    server: Server
    optimum: float
    best: float
    published: str = ""
    interval: float = 0.0
    starts: Sequence[float] = (0.0,)
    floor: int = 1
    ceiling: int = CEILING
    changes: Sequence[tuple[float, Mapping[str, object]]] = ()
    seconds: float = 120.0
    settled: float = 60.0
    time_out: float = 30.0

    def run(self, seed: int = 1) -> Outcome:
        """Let its time pass."""
        chance = random.Random(seed).random  # noqa: S311 - a simulation wants seeded randomness, not secrets
        senders = [Sender(Controller(self.floor, self.ceiling, chance), start, self.interval) for start in self.starts]
        return Simulation(replace(self.server), senders, self.seconds, self.settled, self.changes, self.time_out, seed).run()


_CONSTANT = Server(delay=0.1)
_QUEUE = Server(delay=0.1, places=10)
# Of four workers, one a while after the other.
_ONE_BY_ONE = (0.0, 5.0, 10.0, 15.0)

PUBLISHED = (
    Scenario("constant-link", _CONSTANT, CEILING, 320, "15-16"),
    Scenario("jittery-link-small", Server(delay=0.1, jitter=0.1), CEILING, 290.9, "8-20"),
    Scenario("medium-send", _CONSTANT, 4, 40, "4-4.5", interval=0.025),
    Scenario("slow-send-1", Server(delay=0.05), 0.5, 10, "0.5-0.55", interval=0.1),
    Scenario("slow-send-2", Server(delay=0.05), 1, 20, "1-1.2", interval=0.05),
    Scenario("slow-link", Server(delay=0.1, scale=1.0), 1, 10, "1.5-5", seconds=400, settled=200),
    Scenario("shallow-knee", Server(delay=0.1, knee=10, knee_factor=1.1), 10, 100, "9-11"),
    Scenario("defers-at-high-concurrency", Server(delay=0.1, most=5), 5, 50, "2.2-5"),
    Scenario("defers-at-high-rate", Server(delay=0.1, rate=100), 10, 100, "6-9"),
    Scenario("drops-at-high-concurrency", Server(delay=0.1, most=5, drops=True), 5, 50, "3-4", time_out=1.0),
    Scenario("fixed-concurrency-simple", _CONSTANT, 10, 100, "8-10", floor=10, ceiling=10),
    Scenario("fixed-concurrency-jitter", Server(delay=0.1, jitter=0.5), 10, 66.7, "8-10", floor=10, ceiling=10),
)
OURS = (
    Scenario("a recorder that takes 1 s", Server(delay=1.0), CEILING, 32, seconds=400, settled=100),
    Scenario("very jittery link", Server(delay=0.1, jitter=1.0), CEILING, 160),
    Scenario("jump in latency, 0.1 to 0.5 s", _CONSTANT, CEILING, 64, changes=((30, {"delay": 0.5}),)),
    Scenario("jump in latency and back", _CONSTANT, CEILING, 320, changes=((20, {"delay": 1.0}), (40, {"delay": 0.1}))),
    Scenario("10 places, the rest queue", _QUEUE, 10, 100),
    Scenario("10 places, jittery", replace(_QUEUE, jitter=0.2), 10, 83.3),
    Scenario("10 places, jump in latency", _QUEUE, 10, 20, changes=((30, {"delay": 0.5}),), seconds=240, settled=120),
    Scenario("slower by the square, twice at 20", Server(delay=0.1, soft=20), 11.5, 86.6),
    Scenario("503 above 5, Retry-After 1 s", Server(delay=0.1, most=5, retry_after=1.0), 5, 50),
    Scenario("503 above 5, then above 20", Server(delay=0.1, most=5), 20, 200, changes=((40, {"most": 20}),)),
    Scenario("503 above 20, then above 5", Server(delay=0.1, most=20), 5, 50, changes=((40, {"most": 5}),)),
    Scenario("503 for 10 s, then well", _CONSTANT, CEILING, 320, changes=((30, {"most": 0}), (40, {"most": None}))),
    Scenario("shared link: 4 workers, 20 places", replace(_QUEUE, places=20), 20, 200, starts=_ONE_BY_ONE, seconds=240, settled=120),
    Scenario("shared link: 4 workers, 503 above 20", Server(delay=0.1, most=20), 20, 200, starts=_ONE_BY_ONE, seconds=240, settled=120),
)
SCENARIOS = PUBLISHED + OURS
