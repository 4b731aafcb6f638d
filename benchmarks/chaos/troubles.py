"""Trouble at random for as long as it takes: of workers and of servers, one at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from benchmarks.chaos.crew import SESSION_SECONDS, Crew
from benchmarks.report import say
from voc_stream.devstack.worker_process import WorkerProcess

_APART_SECONDS = (12.0, 25.0)
_OUTAGE_SECONDS = (3.0, 12.0)
_GRACE_SECONDS = 30.0


class Troubles:
    """Makes trouble.

    Worker 0 is never ended, only put to sleep: what it grows by is measured.

    Args:
        crew: whose.
        seed: of what happens, and when.
    """

    def __init__(self, crew: Crew, seed: int) -> None:
        self._crew = crew
        self._chance = random.Random(seed)  # noqa: S311 - luck, not secrets
        self.happened: list[tuple[float, str]] = []
        self.wrong_stops: list[int] = []
        self._kinds: dict[str, Callable[[], None]] = {
            "kill": lambda: crew.workers.kill(self._victim()),
            "stop": self._stop,
            "sleep": self._sleep,
            "kafka is restarted": partial(crew.place.stack.restart_part, "kafka"),
            "clickhouse is killed": partial(self._killed, "clickhouse"),
            "postgres is down": partial(self._down, "postgres"),
            "s3 is down": partial(self._down, "s3"),
            "scoring is killed": partial(self._killed, "scoring"),
            "the recorder hangs": self._recorder_hangs,
        }

    def make(self, seconds: float) -> None:
        """Go on for so long; in the end everything runs."""
        began = time.monotonic()
        while True:
            pause = self._chance.uniform(*_APART_SECONDS)
            if time.monotonic() + pause > began + seconds:
                break
            self._crew.sleep(pause)
            kind = self._chance.choice(sorted(self._kinds))
            self.happened.append((time.monotonic() - began, kind))
            say(f"{self.happened[-1][0]:.0f} s: {kind}")
            self._kinds[kind]()
        self._crew.sleep(max(0.0, began + seconds - time.monotonic()))

    def _victim(self) -> WorkerProcess:
        return self._chance.choice(list(self._crew.workers)[1:])

    def _stop(self) -> None:
        victim = self._victim()
        code = victim.stop(_GRACE_SECONDS)
        if code:
            self.wrong_stops.append(code)
        victim.start()

    def _sleep(self) -> None:
        self._crew.workers.freeze(self._chance.choice(list(self._crew.workers)))
        self._crew.sleep(SESSION_SECONDS * 2)
        self._crew.workers.wake()

    def _down(self, part: str) -> None:
        self._crew.place.stack.stop_part(part)
        self._crew.sleep(self._chance.uniform(*_OUTAGE_SECONDS))
        self._crew.place.stack.start_part(part)

    def _killed(self, part: str) -> None:
        self._crew.place.stack.kill(part)
        self._crew.sleep(self._chance.uniform(*_OUTAGE_SECONDS))
        self._crew.place.stack.start_part(part)

    def _recorder_hangs(self) -> None:
        self._crew.place.stack.pause("recorder")
        self._crew.sleep(self._chance.uniform(*_OUTAGE_SECONDS))
        self._crew.place.stack.resume("recorder")
