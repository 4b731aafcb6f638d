"""Lag and rate of stages, from where the group is at two looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from voc_stream.clients.topic_load import TopicLoad
from voc_stream.services.progress import FRESH_SECONDS, RATE_SECONDS, Progress, ProgressWatch
from voc_stream.settings import load_settings


class Kafka:
    """A group that goes on as a test says; each topic has as much."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lag = 0
        self.done = 5000
        self.asked = 0

    def after(self, seconds: float, done: int) -> None:
        self.now += seconds
        self.done += done

    async def all(self, topics: Collection[str]) -> dict[str, TopicLoad]:
        self.asked += 1
        return {topic: TopicLoad(12, self.lag, self.done) for topic in topics}

    def watch(self) -> ProgressWatch:
        @asynccontextmanager
        async def connect() -> AsyncIterator[Kafka]:
            yield self

        return ProgressWatch(load_settings(kafka_topics=("voc.calls", "voc.actions")), connect, lambda: self.now)


def _of(progress: Progress, stage: str) -> tuple[int, float | None]:
    (found,) = (each for each in progress.stages if each.stage == stage)
    return found.lag, found.rate


async def test_at_the_first_look_the_rate_is_not_known() -> None:
    kafka = Kafka()
    kafka.lag = 7
    assert _of(await kafka.watch().look(), "score") == (7, None)


async def test_the_rate_is_what_the_group_moved_by_between_looks() -> None:
    kafka = Kafka()
    watch = kafka.watch()
    await watch.look()
    kafka.after(10, done=50)
    assert _of(await watch.look(), "download") == (0, 5.0)


async def test_a_stage_of_several_topics_adds_them_up() -> None:
    kafka = Kafka()
    watch, kafka.lag = kafka.watch(), 4
    await watch.look()
    kafka.after(10, done=10)
    assert _of(await watch.look(), "voc") == (3 * 4, 3.0)


async def test_looks_close_together_ask_kafka_once() -> None:
    kafka = Kafka()
    watch = kafka.watch()
    for _ in range(10):
        await watch.look()
        kafka.after(FRESH_SECONDS / 100, done=1)
    assert kafka.asked == 1


async def test_the_rate_is_that_of_the_last_half_minute() -> None:
    kafka = Kafka()
    watch = kafka.watch()
    for _ in range(100):
        await watch.look()
        kafka.after(5, done=500)
    for _ in range(int(RATE_SECONDS / 5) + 1):
        await watch.look()
        kafka.after(5, done=0)
    assert _of(await watch.look(), "score") == (0, 0.0)
    assert len(watch._looks) <= RATE_SECONDS / 5 + 2


async def test_a_look_of_long_ago_makes_no_rate() -> None:
    kafka = Kafka()
    watch = kafka.watch()
    await watch.look()
    kafka.after(86_400, done=10**9)
    assert _of(await watch.look(), "score") == (0, None)
