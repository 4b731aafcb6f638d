"""What a partition does when a server refuses what it sends for good: nothing may keep it, and others, waiting for ever."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from tests.calls import NOW
from voc_stream.errors import OutageError, OutsideError, RejectedError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.lease import Lease, Sign
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.patience import Patience
from voc_stream.runtime.window_performer import Formed, Hook, Performer, WindowTools
from voc_stream.stages.delivery import Answer, AskLease, Insert, RunHooks, SendLetters
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


class Clock:
    """A lease's: the group's coordinator said yes in generation 1 when it stood at 0."""

    now = 0.0

    def lease(self) -> Lease:
        lease = Lease(10.0, clock=lambda: self.now, sleep=no_time)
        lease._sign = Sign(1, 0.0)
        return lease


class Warehouse:
    """Counts inserts; `fault` is raised by the next one."""

    inserts = 0
    fault: OutsideError | None = None

    async def insert_events(self, _block: bytes, _token: str) -> None:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        self.inserts += 1


class Scene:
    def __init__(self, publisher: Publisher, *hooks: Hook) -> None:
        self.clock, self.warehouse = Clock(), Warehouse()
        self.gates = {name: Gate(name, well, sleep=no_time) for name in ("kafka", "postgres", "clickhouse", "state")}
        warehouse: Any = self.warehouse
        nothing: Any = SimpleNamespace()
        self.inserts = asyncio.Semaphore(1)
        tools = WindowTools(
            warehouse=warehouse, ledger=nothing, publisher=publisher, reading=nothing, lease=self.clock.lease(), gates=self.gates,
            overflow_topic=OVERFLOW, hooks=hooks, now=lambda: NOW, inserts=self.inserts,
        )  # fmt: skip
        self.performer = Performer(PLACE, 1, tools, Patience(self.gates, no_time))
        self.window = Window(PLACE, ClaimId(1, 1), 0, 9, 0)

    async def perform(self, *wanted: Any) -> list[Any]:
        replies: list[Any] = []

        def steps() -> Any:
            for step in wanted:
                replies.append((yield step))  # noqa: PERF401 - each is sent into the generator

        try:
            async with asyncio.timeout(2):
                await self.performer.perform(steps(), Formed(self.window, [], b"", [], []))
        finally:
            for gate in self.gates.values():
                await gate.stop()
        return replies


def event() -> Any:
    return SimpleNamespace(tenant_id="acme", event_id=str(uuid.UUID(int=7)).upper())


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


async def test_an_event_that_the_overflow_topic_finds_too_large_becomes_a_dead_letter() -> None:
    """A record of just below 1 MiB, or with long headers, that its producer compressed better than we do."""
    publisher = Publisher(lambda record: RejectedError("kafka", "a record is larger than Kafka takes") if record.topic == OVERFLOW else None)
    scene = Scene(publisher)
    scene.window.moved = [(event(), Record(5))]
    await scene.perform(SendLetters())
    assert [record.topic for record in publisher.sent] == ["voc.calls.dlq"]


async def test_a_hook_whose_server_will_never_accept_the_events_does_not_stop_the_partition() -> None:
    async def refused(*_: object) -> None:
        raise RejectedError("postgres", "a value does not fit its column's type")

    await Scene(Publisher(), refused).perform(RunHooks())


async def test_a_window_is_inserted_while_the_partition_is_surely_ours() -> None:
    scene = Scene(Publisher())
    await scene.perform(AskLease(), Insert("token", ()))
    assert scene.warehouse.inserts == 1


async def test_a_partition_whose_lease_ran_out_while_clickhouse_was_waited_for_is_not_inserted() -> None:
    """A worker that is stopped there and wakes up inserts what the next owner stored long ago, perhaps under another token."""
    scene, well_again = Scene(Publisher()), asyncio.Event()

    async def until_well(_seconds: float) -> None:
        await well_again.wait()

    gate = scene.gates["clickhouse"] = Gate("clickhouse", well, sleep=until_well)
    gate.close(OutageError("clickhouse", "down"))
    inserting = asyncio.create_task(scene.perform(AskLease(), Insert("token", ())))
    while not scene.performer._patience.waiting:
        await asyncio.sleep(0)
    scene.clock.now = 60.0
    well_again.set()
    await asyncio.wait([inserting], timeout=0.2)
    inserting.cancel()
    await asyncio.gather(inserting, return_exceptions=True)
    assert scene.warehouse.inserts == 0


async def test_an_insert_that_waited_for_its_turn_has_its_lease_looked_at_first_and_keeps_the_turn_meanwhile() -> None:
    scene = Scene(Publisher())
    await scene.inserts.acquire()
    performing = asyncio.create_task(scene.perform(Insert("t", []), AskLease(), Insert("t", [])))
    for _ in range(10):
        await asyncio.sleep(0)
    assert scene.warehouse.inserts == 0
    scene.inserts.release()
    assert await performing == [Answer.UNKNOWN, True, Answer.STORED]
    assert scene.warehouse.inserts == 1
    assert not scene.inserts.locked()


async def test_a_window_that_is_given_up_leaves_its_turn_to_others() -> None:
    scene = Scene(Publisher())
    await scene.inserts.acquire()
    performing = asyncio.create_task(scene.perform(Insert("t", [])))
    for _ in range(10):
        await asyncio.sleep(0)
    scene.inserts.release()
    assert await performing == [Answer.UNKNOWN]
    assert not scene.inserts.locked()


async def test_an_insert_that_fails_leaves_its_turn_before_it_waits_to_be_tried_again() -> None:
    scene = Scene(Publisher())
    scene.warehouse.fault = OutageError("clickhouse", "down")
    assert await scene.perform(Insert("t", []), Insert("t", [])) == [Answer.UNKNOWN, Answer.STORED]
    assert not scene.inserts.locked()


async def test_what_follows_the_inserts_of_a_window_keeps_no_turn_from_others() -> None:
    seen: list[bool] = []

    async def look(*_: Any) -> None:
        seen.append(scene.inserts.locked())

    scene = Scene(Publisher(), look)
    await scene.inserts.acquire()
    performing = asyncio.create_task(scene.perform(Insert("t", []), RunHooks()))
    for _ in range(10):
        await asyncio.sleep(0)
    scene.inserts.release()
    assert (await performing)[0] is Answer.UNKNOWN
    assert seen == [False]
