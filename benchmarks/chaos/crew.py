"""Three workers on a stack of their own, both pipelines busy; somebody says what happens to them, and here it is counted."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from benchmarks import ours
from benchmarks.chaos.counting import count_all
from benchmarks.chaos.sending import Place, Sending, Sent, messages
from benchmarks.chaos.workers import Workers
from benchmarks.field import Field, settled
from benchmarks.groups import Group
from benchmarks.report import say
from voc_stream import topics
from voc_stream.devstack.audit import Audit
from voc_stream.devstack.errors import StackError
from voc_stream.errors import OutsideError

PARTS = ("kafka", "postgres", "s3", "clickhouse", "recorder", "scoring")
# Hearing words takes a processor seconds a call.
WITHOUT_WORDS = {"SCORER_ASR": "off"}
WORKERS = 3
SESSION_SECONDS = 6.0
SETTINGS = {
    "KAFKA_SESSION_TIMEOUT": str(SESSION_SECONDS),
    "CLICKHOUSE_TIMEOUT_SECONDS": "10",
    "AVAYA_POLL_SECONDS": "2",
    "AVAYA_GUARD_SECONDS": "1",
    "AVAYA_SWEEP_SECONDS": "5",
    "AVAYA_MAX_CALL_SECONDS": "1200",
    "AVAYA_TIMEOUT_SECONDS": "10",
    "LOG_FORMAT": "json",
}
_KINDS = {b"call": topics.VOC_CALLS, b"agent_action": topics.VOC_ACTIONS, b"tool_invocation": topics.VOC_ACTIONS, b"qos_metric": topics.VOC_METRICS}
_TOPICS = tuple(sorted(set(_KINDS.values())))
_PATIENCE_SECONDS = 150.0
_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Load:
    """What the crew is kept busy with.

    Attributes:
        name: what the names of the events' tenants begin with.
        calls: the recorder's ids of the calls.
    """

    name: str
    events: int
    sending: Sending
    calls: list[str]


@dataclass(slots=True)
class Result:
    """What is where in the end.

    Attributes:
        problems: every place that does not agree, a sentence each.
    """

    lost: int = 0
    duplicated: int = 0
    dead_letters: int = 0
    ended_by_themselves: int = 0
    problems: list[str] = field(default_factory=list)


class Crew:
    """The workers, and eyes on every place.

    Args:
        place: a stack with every part.
        seed: of whom it hits.
        settings: of the workers, over `SETTINGS`.
    """

    def __init__(self, place: Field, seed: int, settings: Mapping[str, str] | None = None) -> None:
        self.place = place
        self.folder = place.folder / "crew"
        chance = random.Random(seed)  # noqa: S311 - luck, not secrets
        self.workers = Workers(WORKERS, place.folder.absolute(), self.folder, SETTINGS | dict(settings or {}), chance)
        self._poison: set[Place] = set()
        self._ended_before = 0

    def load(self, *, events: int, calls: int, seconds: float, seed: int, poison: bool = True) -> Load:
        """Begin to send events and to hang up calls.

        Args:
            events: numbered ones; 5 % are sent twice, and 1 % poison comes on top of them.
            calls: of half a minute each.
            seconds: over which both are spread; a fifth of the events is there at once.
            seed: of the events.
            poison: whether there is any.
        """
        name = f"crew-{secrets.token_hex(3)}"
        plan = messages(events, seed, _KINDS, name)
        chosen = plan if poison else (message for message in plan if message.number is not None)
        sending = Sending(list(self.place.settings.kafka_bootstrap), chosen, events, seconds)
        self._ended_before = self.workers.ended_by_themselves
        made = self.calls(calls, every_seconds=seconds / calls)
        sending.start()
        return Load(name, events, sending, made)

    def calls(self, count: int, every_seconds: float) -> list[str]:
        """Have calls hang up from now on; returns their ids."""
        return self.place.new_calls(kind="stereo", dialogue="praise_short", count=count, hang_up=2, every_seconds=every_seconds)

    def plant(self, text: str) -> None:
        """Write records that cannot be read, with this text in them, into topics of both pipelines."""
        self._poison |= {place for place in asyncio.run(self._plant(text)) if place[0] in _TOPICS}

    def sleep(self, seconds: float) -> None:
        """Let the time pass; a worker that ends by itself is started again, as an orchestrator would."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.workers.mend()
            time.sleep(min(left, _LOOK_SECONDS))

    def until_one_works(self) -> None:
        """Wait until a worker is ready: one that is only starting has nothing to lose.

        Raises:
            StackError: none gets ready.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not any(worker.ready() for worker in self.workers):
            if time.monotonic() > deadline:
                raise StackError(f"no worker is ready after {_PATIENCE_SECONDS:.0f} s")
            self.sleep(_LOOK_SECONDS)

    def finish(self, load: Load) -> Result:
        """Wait until everything that was sent is through, and count.

        Raises:
            StackError: nothing moves any more.
        """
        sent = load.sending.finish()
        # The dead-letter topics hold those of earlier loads as well, also of one that did not get through.
        self._poison |= sent.poison
        self._until_through(load)
        return asyncio.run(self._count(load, sent))

    async def _plant(self, text: str) -> set[Place]:
        producer = AIOKafkaProducer(bootstrap_servers=list(self.place.settings.kafka_bootstrap), acks="all")
        await producer.start()
        try:
            values = (text.encode(), b'{"event_id": ["%s"], "call_id": ["%s"]}' % (text.encode(), text.encode()))
            written = [await producer.send_and_wait(topic, value) for topic in (*_TOPICS, topics.CALLS_RAW) for value in values]
        finally:
            await producer.stop()
        return {(each.topic, each.partition, each.offset) for each in written}

    def lag(self) -> int:
        """Return how many events are not committed."""
        settings = self.place.settings
        return asyncio.run(Group(settings.kafka_bootstrap, settings.kafka_group_id, _TOPICS, ours.PARTITIONS).lag())

    def _until_through(self, load: Load) -> None:
        last: object = None
        changed = time.monotonic()
        while (state := self._state(load)) is not None:
            self.workers.mend()
            if state != last:
                last, changed = state, time.monotonic()
                say(f"lag {state[0]}, calls {dict(state[1])}")
            if time.monotonic() - changed > _PATIENCE_SECONDS:
                raise StackError(f"nothing has changed for {_PATIENCE_SECONDS:.0f} s: {state}")
            time.sleep(_LOOK_SECONDS)

    def _state(self, load: Load) -> tuple[int, Counter[str]] | None:
        """Return what is left to do; None: nothing."""
        lag, states = self.lag(), self.place.states(load.calls)
        return None if lag == 0 and settled(states, len(load.calls)) else (lag, states)

    async def _count(self, load: Load, sent: Sent) -> Result:
        settings = self.place.settings
        events = await count_all(settings, load.name, _TOPICS, load.events, Sent(sent.numbers, sent.copies, set(self._poison)))
        result = Result(events.lost, events.duplicated, len(sent.poison), self.workers.ended_by_themselves - self._ended_before, events.problems)
        async with Audit(settings) as audit:
            await self._until_agreed(audit, load.calls, result)
            rows, exported = await audit.rows(load.calls), await audit.exported()
        results = Counter({call_id: row.results for call_id, row in rows.items()})
        for name, found in (("PostgreSQL", results), ("ClickHouse", exported)):
            lost = sum(found[call_id] == 0 for call_id in load.calls)
            twice = sum(max(0, found[call_id] - 1) for call_id in load.calls)
            result.lost += lost
            result.duplicated += twice
            result.problems += [f"calls: {lost} are not in {name}, {twice} results are too many"] if lost or twice else []
        return result

    async def _until_agreed(self, audit: Audit, calls: Sequence[str], result: Result) -> None:
        """What is published last may be a moment behind; what is there twice stays."""
        deadline = time.monotonic() + 15.0
        while True:
            with suppress(OutsideError, KafkaError, OSError):
                findings = await audit.examine(calls, words=False)
                if not findings.problems and not findings.states["PENDING"]:
                    return
                if time.monotonic() > deadline:
                    result.problems += findings.problems
                    return
            await asyncio.sleep(_LOOK_SECONDS)
