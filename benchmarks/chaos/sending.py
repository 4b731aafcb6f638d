"""Numbered events for the chaos run: most are good, some are sent twice by their producer, some are poison; each sent one is known."""

from __future__ import annotations

import asyncio
import heapq
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.voc_events import Template, templates
from voc_stream.devstack.errors import StackError

DUPLICATES = 0.05
POISON = 0.01
# A producer's second copy comes within so many events.
_COPY_WITHIN = 5_000
_TEMPLATES = 2_000
_TICK_SECONDS = 0.05
# What is already there when the workers begin.
_AT_ONCE = 0.2
_POISON = (
    b"not json",
    b'{"event_type":"call","event_id":',
    b'\xff\xfe{"event_type":"call"}',
    b'{"event_type":"fax","event_id":"7e57ab1e-0000-4000-8000-000000000000","tenant_id":"t","timestamp":"2026-01-01T00:00:00Z"}',
    b'{"event_type":"qos_metric","event_id":null,"tenant_id":"t","timestamp":"2026-01-01T00:00:00Z","metric":"mos","value":1}',
    b'{"event_type":"qos_metric","event_id":"7e57ab1e-0000-4000-8000-000000000000","tenant_id":"t","timestamp":"2026-01-01T00:00:00","metric":"m","value":1}',
)

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record to send; `number` is None for poison."""

    topic: str
    key: bytes
    value: bytes
    number: int | None


@dataclass(slots=True)
class Sent:
    """What Kafka has acknowledged."""

    numbers: int = 0
    copies: int = 0
    poison: set[Place] = field(default_factory=set)


def messages(count: int, seed: int, topics: Mapping[bytes, str], tenants: str) -> Iterator[Message]:
    """Yield `count` numbered events, with copies and poison among them.

    Args:
        count: of the numbered.
        seed: of everything.
        topics: event type → topic.
        tenants: what the tenants' names begin with.
    """
    chance = random.Random(seed)  # noqa: S311 - made-up events
    made = templates(min(count, _TEMPLATES), seed, tenants)
    copies: list[tuple[int, int]] = []
    for number in range(count):
        yield _message(made, number, topics)
        if chance.random() < DUPLICATES:
            heapq.heappush(copies, (number + chance.randrange(1, _COPY_WITHIN), number))
        if chance.random() < POISON:
            topic = chance.choice(sorted(set(topics.values())))
            yield Message(topic, b"poison-%d" % number, chance.choice(_POISON), None)
        while copies and copies[0][0] <= number:
            yield _message(made, heapq.heappop(copies)[1], topics)
    yield from (_message(made, number, topics) for _, number in sorted(copies))


def _message(made: Sequence[Template], number: int, topics: Mapping[bytes, str]) -> Message:
    template = made[number % len(made)]
    kind = next(kind for kind in topics if b'"event_type":"%b"' % kind in template.between)
    return Message(topics[kind], b"call-%d" % number, template.value(number), number)


class Sending:
    """Sends on a thread of its own: a part at once, the rest spread over the time given.

    Args:
        bootstrap: Kafka's.
        plan: what to send.
        count: how many are numbered.
        seconds: over which to spread them.
    """

    def __init__(self, bootstrap: list[str], plan: Iterator[Message], count: int, seconds: float) -> None:
        self._bootstrap = bootstrap
        self._plan = plan
        self._rate = count / seconds
        self._head_start = count * _AT_ONCE
        self._thread = threading.Thread(target=self._run, name="sending", daemon=True)
        self._error: BaseException | None = None
        self.sent = Sent()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether everything is sent."""
        return not self._thread.is_alive()

    def finish(self) -> Sent:
        """Wait for the end; returns what was acknowledged.

        Raises:
            StackError: something was not.
        """
        self._thread.join()
        if self._error is not None:
            raise StackError(f"could not send: {self._error!r}")
        return self.sent

    def _run(self) -> None:
        try:
            asyncio.run(self._send())
        except Exception as error:  # noqa: BLE001 - told by `finish`, on the thread that waits
            self._error = error

    async def _send(self) -> None:
        # Idempotent, and patient while the broker restarts: what is counted as sent is there once.
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, enable_idempotence=True, linger_ms=5, compression_type="lz4", request_timeout_ms=180_000
        )
        await producer.start()
        try:
            began = time.monotonic()
            poison: list[asyncio.Future[Any]] = []
            others: list[asyncio.Future[Any]] = []
            numbers: set[int] = set()
            for count, message in enumerate(self._plan):
                early = (count - self._head_start) / self._rate - (time.monotonic() - began)
                if early > _TICK_SECONDS:
                    await asyncio.sleep(early)
                (poison if message.number is None else others).append(await producer.send(message.topic, message.value, message.key))
                if message.number is not None:
                    self.sent.copies += message.number in numbers
                    numbers.add(message.number)
            await asyncio.gather(*others)
            written = await asyncio.gather(*poison)
        finally:
            await producer.stop()
        self.sent.numbers = len(numbers)
        self.sent.poison = {(each.topic, each.partition, each.offset) for each in written}
