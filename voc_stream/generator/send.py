"""`faust -A voc_stream generate`: made-up events into Kafka at a steady rate."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from voc_stream.errors import OutageError
from voc_stream.generator.events import make_events
from voc_stream.settings import Settings
from voc_stream.topic_admin import kafka_security

# How often a bunch of events is due.
_TICK_SECONDS = 0.05
# Sends that may be under way; beyond them the generator waits for Kafka.
_MOST_UNACKNOWLEDGED = 20_000
_TIMEOUT_SECONDS = 30.0

Event = tuple[str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send.

    Attributes:
        rate: events a second.
        tenants: how many tenants share them.
        events: how many, or None.
        seconds: for how long, or None; without both until it is stopped.
        seed: of the events, ids too; None: new ones.
        hours: their times are spread evenly over so many hours before now; 0: they happen now.
    """

    rate: float = 1000.0
    tenants: int = 20
    events: int | None = None
    seconds: float | None = None
    seed: int | None = None
    hours: float = 0.0

    @property
    def count(self) -> int | None:
        """How many events that makes."""
        return self.events if self.seconds is None else min(self.events or 1 << 62, round(self.seconds * self.rate))

    def made(self, now: datetime) -> Iterator[Event]:
        """Return the events."""
        count = self.count
        spacing = self.hours * 3600 / count if self.hours and count else 1 / self.rate
        seed = secrets.randbits(48) if self.seed is None else self.seed
        return make_events(count, seed, self.tenants, now - timedelta(hours=self.hours), spacing)


class Generator:
    """Sends events and counts what Kafka acknowledged (`acks=all`).

    Args:
        settings: KAFKA_*.
        rate: events a second.
        echo: takes each line of the report.
        tell_seconds: how often a line tells how far it is.
    """

    def __init__(self, settings: Settings, rate: float, echo: Callable[[str], None], *, tell_seconds: float = 5.0) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._rate = rate
        self._echo = echo
        self._tell_seconds = tell_seconds
        self._failure = ""
        self._stopped = asyncio.Event()
        self._pending: set[asyncio.Future[object]] = set()
        self._options = {
            "bootstrap_servers": list(settings.kafka_bootstrap),
            "acks": "all",
            "compression_type": "lz4",
            "linger_ms": 20,
            "max_batch_size": 128 << 10,
            "request_timeout_ms": int(_TIMEOUT_SECONDS * 1000),
            **kafka_security(settings),
        }

    def stop(self) -> None:
        """Send no more; what was sent is still waited for."""
        self._stopped.set()

    async def run(self, events: Iterable[Event]) -> None:
        """Send them all, then wait until Kafka has them.

        Raises:
            OutageError: Kafka cannot be reached.
        """
        producer = AIOKafkaProducer(**self._options)
        try:
            await producer.start()
            began = time.monotonic()
            await self._send_all(producer, iter(events), began)
            await asyncio.gather(*self._pending, return_exceptions=True)
        except KafkaError as error:
            raise OutageError("kafka", f"{type(error).__name__}: is it there, and are its topics?") from error
        finally:
            await producer.stop()
        if self._failure:
            self._echo(f"generate: Kafka did not take everything, the last time for {self._failure}")
        self._echo(f"generate: sent={self.sent} acknowledged={self.acknowledged} seconds={time.monotonic() - began:.1f}")

    async def _send_all(self, producer: AIOKafkaProducer, events: Iterator[Event], began: float) -> None:
        told = began
        while not self._stopped.is_set():
            due = int((time.monotonic() - began + _TICK_SECONDS) * self._rate) - self.sent
            bunch = list(itertools.islice(events, min(max(due, 0), _MOST_UNACKNOWLEDGED)))
            for event in bunch:
                await self._send(producer, event)
            if due > 0 and not bunch:
                return
            if time.monotonic() - told >= self._tell_seconds:
                told = time.monotonic()
                self._echo(f"generate: sent={self.sent} acknowledged={self.acknowledged} seconds={told - began:.1f}")
            await self._rest(began)

    async def _send(self, producer: AIOKafkaProducer, event: Event) -> None:
        while len(self._pending) >= _MOST_UNACKNOWLEDGED:
            await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
        topic, key, value = event
        future = await producer.send(topic, value, key)
        self.sent += 1
        self._pending.add(future)
        future.add_done_callback(self._done)

    def _done(self, future: asyncio.Future[object]) -> None:
        self._pending.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self.acknowledged += 1
        else:
            self._failure = type(error).__name__

    async def _rest(self, began: float) -> None:
        """Wait until more events are due, or until it is stopped."""
        ahead = self.sent / self._rate - (time.monotonic() - began)
        try:
            async with asyncio.timeout(max(ahead, _TICK_SECONDS / 2)):
                await self._stopped.wait()
        except TimeoutError:
            return


async def run(settings: Settings, echo: Callable[[str], None], plan: Plan) -> int:
    """Send what is planned; Ctrl-C and SIGTERM end it early.

    Returns:
        0: Kafka acknowledged every event that was sent; 1: it did not; 2: the plan contradicts itself.
    """
    if plan.hours and plan.count is None:
        echo("generate: --hours needs an end, --events or --seconds: else nobody knows how dense the events are")
        return 2
    generator = Generator(settings, plan.rate, echo)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, generator.stop)
    try:
        await generator.run(plan.made(datetime.now(UTC)))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return 0 if generator.acknowledged == generator.sent else 1
