"""How the pipeline gets on, as Kafka tells it: how far the group of all workers is behind in each stage, and how fast it goes.

The rate is what the group's offsets moved by between two looks; without an earlier look it is not known.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from voc_stream import topics
from voc_stream.clients.topic_load import TopicLoad
from voc_stream.settings import Settings

# Rates are over the looks of this time: shorter ones jump, for offsets are committed every few seconds.
RATE_SECONDS = 30.0
# A look this young is good enough for everybody.
FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage's work.

    Attributes:
        stage: its name.
        topics: what it reads.
        lag: records that are not done.
        rate: records a second, over the last half minute; None until it was looked at twice.
    """

    stage: str
    topics: tuple[str, ...]
    lag: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """All stages in the order of the pipelines."""

    stages: tuple[StageProgress, ...]


class Loads(Protocol):
    """What is needed of Kafka."""

    async def all(self, topics: Collection[str]) -> dict[str, TopicLoad]:
        """Return the loads of topics."""


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    loads: Mapping[str, TopicLoad]


def sources(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return what each stage reads, in the order of the pipelines."""
    return {
        "dedup": (topics.CALLS_POLLED,),
        "enrich": (topics.CALLS_RAW,),
        "download": (topics.CALLS_ENRICHED,),
        "score": (topics.AUDIO_READY,),
        "export": (topics.SCORING_RESULTS,),
        "voc": (*settings.kafka_topics, topics.VOC_OVERFLOW),
    }


class ProgressWatch:
    """Looks at the group, and remembers its last looks. Methods raise `OutsideError`s.

    Args:
        settings: the topics of customer events.
        connect: lends a connection to Kafka.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(
        self, settings: Settings, connect: Callable[[], AbstractAsyncContextManager[Loads]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sources = sources(settings)
        self._connect = connect
        self._clock = clock
        self._looks: deque[_Look] = deque()

    async def look(self) -> Progress:
        """Return how the stages get on now."""
        if not self._looks or self._clock() - self._looks[-1].at >= FRESH_SECONDS:
            async with self._connect() as loads:
                found = await loads.all([topic for them in self._sources.values() for topic in them])
            self._remember(_Look(self._clock(), found))
        first, last = self._looks[0], self._looks[-1]
        return Progress(tuple(_stage(stage, read, first, last) for stage, read in self._sources.items()))

    def _remember(self, look: _Look) -> None:
        self._looks.append(look)
        while len(self._looks) > 1 and self._is_past(look.at):
            self._looks.popleft()

    def _is_past(self, now: float) -> bool:
        """Whether the oldest look is of no more use: a younger one covers the time, or nobody looked for long."""
        too_old = now - self._looks[0].at > 4 * RATE_SECONDS
        return too_old or (len(self._looks) > 2 and now - self._looks[1].at >= RATE_SECONDS)


def _stage(stage: str, read: tuple[str, ...], first: _Look, last: _Look) -> StageProgress:
    seconds = last.at - first.at
    done = sum(max(0, last.loads[topic].done - first.loads[topic].done) for topic in read)
    return StageProgress(stage, read, sum(last.loads[topic].lag for topic in read), done / seconds if seconds else None)
