"""Sending made-up events: as many as planned, each counted once Kafka has acknowledged it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from voc_stream.errors import OutageError
from voc_stream.events.voc import decode_voc
from voc_stream.generator import send
from voc_stream.generator.send import Generator, Plan
from voc_stream.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Kafka:
    """A producer that acknowledges at once, and after `stop_after` sends tells the generator to stop."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.options: dict[str, Any] = {}
        self.running = False
        self.down = False
        self.refused = 0
        self.stop_after: tuple[int, Generator] | None = None

    def __call__(self, **options: Any) -> Kafka:
        self.options = options
        return self

    async def start(self) -> None:
        if self.down:
            raise KafkaConnectionError
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def send(self, topic: str, value: bytes, key: bytes) -> asyncio.Future[object]:
        assert topic.startswith("voc.")
        assert key
        self.values.append(value)
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if len(self.values) <= self.refused:
            done.set_exception(MessageSizeTooLargeError())
        else:
            done.set_result(None)
        if self.stop_after and len(self.values) == self.stop_after[0]:
            self.stop_after[1].stop()
        return done


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(send, "AIOKafkaProducer", made)
    return made


def _generator(rate: float = 1e6) -> tuple[Generator, list[str]]:
    lines: list[str] = []
    return Generator(Settings(), rate, lines.append), lines


def _events(count: int | None = None) -> Iterator[tuple[str, bytes, bytes]]:
    return Plan(events=count).made(NOW)


async def test_as_many_as_planned_are_sent_durably_and_counted(kafka: Kafka) -> None:
    generator, lines = _generator()
    await generator.run(_events(250))
    assert len({decode_voc(value).event_id for value in kafka.values}) == 250
    assert (kafka.options["acks"], kafka.options["compression_type"], kafka.running) == ("all", "lz4", False)
    assert lines[-1].startswith("generate: sent=250 acknowledged=250 seconds=")


async def test_what_kafka_refuses_is_not_counted_and_told(kafka: Kafka) -> None:
    kafka.refused = 3
    generator, lines = _generator()
    await generator.run(_events(10))
    assert lines[-1].startswith("generate: sent=10 acknowledged=7 ")
    assert "MessageSizeTooLargeError" in lines[-2]


async def test_stopped_it_ends_and_says_what_it_sent(kafka: Kafka) -> None:
    generator, lines = _generator(rate=1000.0)
    kafka.stop_after = (60, generator)
    await generator.run(_events())
    assert len(kafka.values) >= 60
    assert lines[-1].startswith(f"generate: sent={len(kafka.values)} acknowledged={len(kafka.values)} ")


async def test_a_kafka_that_is_not_there_is_an_outage(kafka: Kafka) -> None:
    kafka.down = True
    generator, _ = _generator()
    with pytest.raises(OutageError, match="KafkaConnectionError"):
        await generator.run(_events(1))


async def test_hours_without_an_end_contradict_each_other() -> None:
    lines: list[str] = []
    assert await send.run(Settings(), lines.append, Plan(hours=3)) == 2
    assert "--hours" in lines[0]


def test_a_plan_s_end_is_whichever_comes_first() -> None:
    assert [Plan(rate=10, events=5).count, Plan(rate=10, seconds=3).count, Plan(rate=10, events=5, seconds=3).count] == [5, 30, 5]
    assert Plan().count is None


def test_times_can_be_spread_over_past_hours() -> None:
    times = [decode_voc(value).timestamp for _, _, value in Plan(events=4, hours=4, seed=1).made(NOW)]
    assert [moment.hour for moment in times] == [8, 9, 10, 11]


def test_without_a_seed_ids_are_new() -> None:
    first, second = ({value for _, _, value in Plan(events=20).made(NOW)} for _ in range(2))
    assert first.isdisjoint(second)
