"""What a partition does when a server refuses what it sends for good: nothing may keep it, and others, waiting for ever."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.calls import NOW
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.patience import Patience
from voc_stream.runtime.publisher import Outgoing
from voc_stream.runtime.window_performer import Formed, Hook, Performer, WindowTools
from voc_stream.stages.delivery import RunHooks, SendLetters
from voc_stream.stages.ranges import ClaimId, Place
from voc_stream.stages.windows import Window

PLACE = Place("1", "voc.calls", 3)
OVERFLOW = "voc.overflow"


class Record:
    """Kafka's record, as much of it as a dead letter needs."""

    key, value, headers, partition = b"k", b"{}", (("h", b"1"),), 3

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Publisher:
    """Keeps what is sent, but for what `refuse` gives an error."""

    def __init__(self, refuse: Callable[[Outgoing], OutsideError | None] = lambda _: None) -> None:
        self.sent: list[Outgoing] = []
        self._refuse = refuse

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        for error in map(self._refuse, records):
            if error is not None:
                raise error
        self.sent += records
        return list(range(len(records)))


async def well() -> None:
    """Answer a probe: nothing is down."""


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


class Scene:
    def __init__(self, publisher: Publisher, *hooks: Hook) -> None:
        self.gates = {name: Gate(name, well, sleep=no_time) for name in ("kafka", "postgres", "clickhouse")}
        nothing: Any = SimpleNamespace()
        tools = WindowTools(
            warehouse=nothing, ledger=nothing, publisher=publisher, reading=nothing, lease=nothing, gates=self.gates, overflow_topic=OVERFLOW,
            hooks=hooks, now=lambda: NOW,
        )  # fmt: skip
        self.performer = Performer(PLACE, 1, tools, Patience(self.gates, no_time))
        self.window = Window(PLACE, ClaimId(1, 1), 0, 9, 0)

    async def perform(self, step: Any) -> None:
        def steps() -> Any:
            yield step

        try:
            async with asyncio.timeout(2):
                await self.performer.perform(steps(), Formed(self.window, [], [], []))
        finally:
            for gate in self.gates.values():
                await gate.stop()


def event() -> Any:
    return SimpleNamespace(tenant_id="acme", event_id=uuid.UUID(int=7))


async def test_what_moves_keeps_its_value_and_headers_and_is_keyed_by_its_id() -> None:
    publisher = Publisher()
    scene = Scene(publisher)
    scene.window.moved = [(event(), Record(5))]
    await scene.perform(SendLetters())
    assert publisher.sent == [Outgoing(OVERFLOW, str(uuid.UUID(int=7)).encode(), b"{}", (("h", b"1"),))]


async def test_an_outage_is_waited_for() -> None:
    faults: list[OutsideError] = [OutageError("kafka", "no broker"), OutageError("kafka", "no broker")]
    publisher = Publisher(lambda _: faults.pop() if faults else None)
    scene = Scene(publisher)
    scene.window.moved = [(event(), Record(5))]
    await scene.perform(SendLetters())
    assert len(publisher.sent) == 1


@pytest.mark.xfail(strict=True, reason="a rejection is waited for like an outage: the partition stands still, and the gate of Kafka flutters for all")
async def test_an_event_that_the_overflow_topic_finds_too_large_becomes_a_dead_letter() -> None:
    """A record of just below 1 MiB, or with long headers, that its producer compressed better than we do."""
    publisher = Publisher(lambda record: RejectedError("kafka", "a record is larger than Kafka takes") if record.topic == OVERFLOW else None)
    scene = Scene(publisher)
    scene.window.moved = [(event(), Record(5))]
    await scene.perform(SendLetters())
    assert [record.topic for record in publisher.sent] == ["voc.calls.dlq"]


@pytest.mark.xfail(
    strict=True, reason="a rejection is waited for like an outage: the partition stands still, and the gate of PostgreSQL flutters for all"
)
async def test_a_hook_whose_server_will_never_accept_the_events_does_not_stop_the_partition() -> None:
    async def refused(*_: object) -> None:
        raise RejectedError("postgres", "a value does not fit its column's type")

    await Scene(Publisher(), refused).perform(RunHooks())
