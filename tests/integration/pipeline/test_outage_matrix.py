"""Every dependency fails in every way, in the middle of work and while a worker starts (docs/outages.md).

One worker stands behind a proxy for each dependency. What must hold: `/readyz` names what is not well, what does not need it goes on, it is
asked rarely, no record is dead-lettered for it, and everything drains by itself. `make test` runs the cases most likely to break; `make chaos`
runs all.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count, islice

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from benchmarks.processes import resident_mib
from tests.faults.proxy import FAULTS, Fault, Proxies
from tests.faults.surrounded import DEPENDENCIES, Surroundings, surrounded
from tests.integration.pipeline.pipeline import Pipeline
from tests.tally import Tally
from tests.voc import action_value, call_value
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.stack import Stack
from voc_stream.topics import VOC_ACTIONS, VOC_CALLS

# Of a fault that is there all the time; one that comes and goes lets some work and some probes pass.
FLAPS = 3
LASTING = {Fault.DOWN, Fault.REFUSING, Fault.SLOW, Fault.HALF_OPEN}
# While its gate is closed a dependency is probed after 0.5, 1, 2, 4 s and so on; a probe takes up to two connections, and each of the partitions of
# customer events whose window was under way tries once.
WATCHED_SECONDS, MOST_CONNECTIONS = 3.0, 32

_SHORT_IN_THE_MIDDLE = {("postgres", Fault.HALF_OPEN), ("s3", Fault.CUT)}
_SHORT_AT_THE_START = {Fault.DOWN}
_STORED = """
SELECT count() AS rows, uniqExact(event_id) AS events FROM voc_events WHERE tenant_id = {tenant:String} AND event_type IN {kinds:Array(String)}
"""
# A minute's backlog, on two cores that others use too.
_BACKLOG_SECONDS = 300.0
_KINDS = {VOC_CALLS: "call", VOC_ACTIONS: "agent_action"}


@pytest.fixture(scope="module")
def around(stack: Stack) -> Iterator[Surroundings]:
    with surrounded(stack.endpoints) as lent:
        yield lent


@pytest.fixture
def proxies(around: Surroundings) -> Iterator[Proxies]:
    yield around.proxies
    around.proxies.become(Fault.WELL)


@pytest.fixture
def worker_settings(around: Surroundings, proxies: Proxies) -> Mapping[str, str]:
    del proxies  # well before the worker is waited for
    return {**around.settings, "SENTIMENT_TIMEOUT_SECONDS": "1", "SCORING_CHECK_SECONDS": "2"}


@pytest_asyncio.fixture(loop_scope="session")
async def events(pipeline: Pipeline) -> AsyncIterator[Events]:
    warehouse = Warehouse(pipeline.settings)
    yield Events(pipeline, warehouse)
    await warehouse.close()


def _cases() -> Iterator[object]:
    for dependency in DEPENDENCIES:
        for fault in FAULTS:
            marks = () if (dependency, fault) in _SHORT_IN_THE_MIDDLE else pytest.mark.chaos
            yield pytest.param((dependency, fault), id=f"{dependency} {fault}", marks=marks)


@pytest.mark.parametrize("case", list(_cases()))
async def test_in_the_middle_of_work(pipeline: Pipeline, events: Events, proxies: Proxies, tally: Tally, case: tuple[str, Fault]) -> None:
    dependency, fault = case
    call_ids = await pipeline.spoken(2)
    await events.write(20)
    cuts = proxies.cuts(dependency)
    proxies.become(fault, dependency)
    call_ids += await pipeline.spoken(2)
    await events.write(20)
    match fault:
        case Fault.CUT:
            await pipeline.until("an answer is cut", partial(_more_than, proxies.cuts, dependency, cuts))
        case Fault.FLAPPING:
            # What comes and goes may be well whenever it is asked.
            await pipeline.until("it came and went", partial(_more_than, proxies.flaps, dependency, proxies.flaps(dependency) + FLAPS))
        case _:
            await _names(pipeline, {dependency})
    assert pipeline.page("healthz")[0] == 200
    if fault in LASTING:
        await _others_go_on(pipeline, events, dependency, call_ids)
        if dependency != "kafka":
            accepted = proxies.accepted(dependency)
            await asyncio.sleep(WATCHED_SECONDS)
            assert proxies.accepted(dependency) - accepted <= MOST_CONNECTIONS
    proxies.become(Fault.WELL, dependency)

    await pipeline.until_ready()
    await _all_is_well(pipeline, events, call_ids, tally)


@pytest.mark.parametrize("fault", [pytest.param(fault, marks=() if fault in _SHORT_AT_THE_START else pytest.mark.chaos) for fault in FAULTS])
async def test_while_a_worker_starts(pipeline: Pipeline, events: Events, proxies: Proxies, tally: Tally, fault: Fault) -> None:
    assert pipeline.worker.stop() == 0
    call_ids = await pipeline.spoken(2)
    await events.write(20)
    proxies.become(fault)
    pipeline.worker.start()
    if fault is Fault.FLAPPING:
        await pipeline.until("they came and went", partial(_more_than, proxies.flaps, "kafka", proxies.flaps("kafka") + FLAPS))
    else:
        # Answers to probes are too short to be cut, but for Kafka's.
        await _names(pipeline, {"kafka"} if fault is Fault.CUT else set(DEPENDENCIES))
    await pipeline.until("/healthz is well", partial(_alive, pipeline))
    proxies.become(Fault.WELL, "kafka")
    if fault in LASTING:
        await _forgets(pipeline, "kafka")
        await _names(pipeline, set(DEPENDENCIES) - {"kafka"})
    for dependency in DEPENDENCIES[1:]:
        proxies.become(Fault.WELL, dependency)
        await _forgets(pipeline, dependency)

    await pipeline.until_ready()
    await _all_is_well(pipeline, events, call_ids, tally)


async def test_a_worker_that_waits_for_kafka_stops_when_it_is_told_to(pipeline: Pipeline, proxies: Proxies) -> None:
    assert pipeline.worker.stop() == 0
    proxies.become(Fault.HALF_OPEN, "kafka")
    pipeline.worker.start()
    await _names(pipeline, {"kafka"})

    assert await asyncio.to_thread(pipeline.worker.stop) == 0


@pytest.mark.chaos
@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.HALF_OPEN])
async def test_a_worker_that_lost_kafka_stops_when_it_is_told_to(pipeline: Pipeline, proxies: Proxies, fault: Fault) -> None:
    proxies.become(fault, "kafka")
    await _names(pipeline, {"kafka"})

    assert await asyncio.to_thread(pipeline.worker.stop) == 0


@pytest.mark.chaos
async def test_clickhouse_is_away_for_a_minute_and_the_worker_s_memory_stays_flat(
    pipeline: Pipeline, events: Events, proxies: Proxies, tally: Tally
) -> None:
    proxies.become(Fault.DOWN, "clickhouse")
    began, memory = time.monotonic(), []
    while time.monotonic() - began < 60:
        await events.write(2000)
        memory.append((time.monotonic() - began, resident_mib(pipeline.worker.pid)))
        await asyncio.sleep(0.5)
    await _names(pipeline, {"clickhouse"})
    proxies.become(Fault.WELL, "clickhouse")

    await pipeline.until_ready()
    await _all_is_well(pipeline, events, [], tally)
    filled = max(mib for at, mib in memory if at < 20)
    assert max(mib for at, mib in memory if at >= 20) - filled < 16


class Events:
    """Customer events of one test, some with words and some without."""

    def __init__(self, pipeline: Pipeline, warehouse: Warehouse) -> None:
        self._pipeline = pipeline
        self._warehouse = warehouse
        self._tenant = f"outage-{secrets.token_hex(8)}"
        self._numbers = count(secrets.randbits(60))
        self._made: Counter[str] = Counter()

    @property
    def made(self) -> int:
        """How many were written."""
        return self._made.total()

    async def write(self, each: int) -> None:
        """Write so many of either kind."""
        now = datetime.now(UTC)
        producer = AIOKafkaProducer(bootstrap_servers=list(self._pipeline.settings.kafka_bootstrap), acks="all")
        await producer.start()
        try:
            for topic, kind in _KINDS.items():
                made = [(number, _value(kind, number, timestamp=now, tenant_id=self._tenant)) for number in islice(self._numbers, each)]
                await asyncio.gather(*[await producer.send(topic, value, str(number).encode()) for number, value in made])
                self._made[kind] += each
        finally:
            await producer.stop()

    async def are_stored(self, *kinds: str) -> int:
        """Wait until every one of these kinds is; returns how many rows there are beyond one of each event."""
        wanted = sum(self._made[kind] for kind in kinds)
        found = {"rows": 0, "events": 0}

        async def there() -> bool:
            found.update((await self._warehouse.query(_STORED, {"tenant": self._tenant, "kinds": list(kinds)}))[0])
            return found["events"] >= wanted

        try:
            await self._pipeline.until("the events are stored", there, patience=_BACKLOG_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{found['events']} of {wanted}") from None
        return found["rows"] - wanted

    async def letters(self) -> list[bytes]:
        """Return the keys of those that were dead-lettered."""
        tenant = self._tenant.encode()
        return [letter.key for topic in _KINDS for letter in await self._pipeline.read(f"{topic}.dlq") if tenant in (letter.value or b"")]


def _value(kind: str, number: int, **fields: object) -> bytes:
    if kind == "agent_action":
        return action_value(number, **fields)
    return call_value(number, transcript=f"Thank you for calling about {number}, goodbye.", **fields)


async def _others_go_on(pipeline: Pipeline, events: Events, dependency: str, call_ids: list[str]) -> None:
    """Wait for what does not need the dependency."""
    match dependency:
        case "kafka":
            return
        case "clickhouse":
            await pipeline.until_status(call_ids, "SCORED")
        case "scorer":
            await pipeline.until_status(call_ids, "DOWNLOADED", "SCORED")
            await events.are_stored(*_KINDS.values())
        case "sentiment":
            await pipeline.until_settled(call_ids)
            await events.are_stored(*_KINDS.values())
        case _:
            await events.are_stored("agent_action")


async def _all_is_well(pipeline: Pipeline, events: Events, call_ids: list[str], tally: Tally) -> None:
    """Wait until everything has arrived; assert that nothing was dead-lettered for the outage, and nothing is there twice."""
    rows = await pipeline.until_settled(call_ids)
    more = await events.are_stored(*_KINDS.values())
    unscored = {call_id: str(row.status) for call_id, row in rows.items() if str(row.status) != "SCORED"}
    letters = await events.letters()
    tally.count(f"{len(call_ids)} calls, {events.made} events", lost=len(unscored) + len(letters), duplicated=more)
    assert (unscored, letters, more) == ({}, [], 0)
    assert await pipeline.letters(call_ids) == {}
    await pipeline.assert_consistent(call_ids)
    assert pipeline.worker.poll() is None


async def _alive(pipeline: Pipeline) -> bool:
    return (await asyncio.to_thread(pipeline.page, "healthz"))[0] == 200


async def _more_than(counted: Callable[[str], int], dependency: str, limit: int) -> bool:
    await asyncio.sleep(0)
    return counted(dependency) > limit


async def _names(pipeline: Pipeline, dependencies: Collection[str]) -> None:
    """Wait until `/readyz` has named each, not necessarily all at once."""
    missing = set(dependencies)

    async def named() -> bool:
        missing.difference_update(await _not_well(pipeline))
        return not missing

    try:
        await pipeline.until("/readyz names what is not well", named)
    except AssertionError as error:
        raise AssertionError(f"{error}\nnever named: {missing}") from None


async def _forgets(pipeline: Pipeline, dependency: str) -> None:
    async def well() -> bool:
        return dependency not in await _not_well(pipeline)

    await pipeline.until(f"/readyz has nothing against {dependency}", well)


async def _not_well(pipeline: Pipeline) -> set[str]:
    _, answer = await asyncio.to_thread(pipeline.page, "readyz")
    return {reason.partition(":")[0] for reason in (*answer.get("reasons", ()), *answer.get("degraded", ()))}
