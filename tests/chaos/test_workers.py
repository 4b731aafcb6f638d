"""Workers are killed, stopped, frozen and joined, and the broker restarted, with both pipelines busy: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from benchmarks.chaos.crew import SESSION_SECONDS, SETTINGS, Crew, Load, Result
from benchmarks.chaos.probes import Probes
from benchmarks.report import percentile
from benchmarks.voc_events import event_id
from tests.tally import Tally
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.worker_process import WorkerProcess

GRACE_SECONDS = 30.0
P95_SECONDS = 15.0
ROUNDS = 10

pytestmark = pytest.mark.timeout(900)


def test_bursts_of_kill_9_over_three_workers(crew: Crew, tally: Tally) -> None:
    before = crew.workers.kills
    load = crew.load(events=20_000, calls=24, seconds=55, seed=1)
    for count in (1, 2, 3, 2):
        crew.until_one_works()
        crew.sleep(6)
        crew.workers.kill_burst(count)
    result = crew.finish(load)
    _conclude(load, result, tally, f"{crew.workers.kills - before} kills in 4 bursts")


def test_a_rolling_restart_loses_nothing_dead_letters_nothing_and_delays_little(crew: Crew, tally: Tally) -> None:
    probes = Probes(crew.place.settings)
    probes.start()
    load = crew.load(events=18_000, calls=30, seconds=60, seed=2, poison=False)
    crew.sleep(5)
    stops = []
    for worker in crew.workers:
        began = time.monotonic()
        code = worker.stop(GRACE_SECONDS)
        stops.append((code, time.monotonic() - began))
        worker.start()
        worker.wait_ready()
        crew.sleep(3)
    # While probes come there always is some lag.
    delays, never = probes.finish()
    result = crew.finish(load)
    p95 = percentile(delays, 0.95)
    result.lost += never
    longest = max(seconds for _, seconds in stops)
    _conclude(load, result, tally, f"3 restarts, longest stop {longest:.1f} s, p95 delay {p95:.1f} s of {len(delays)}")
    assert [code for code, _ in stops] == [0, 0, 0]
    assert p95 < P95_SECONDS
    assert result.ended_by_themselves == 0


def test_a_worker_that_sleeps_past_its_session_does_nothing_twice_when_it_wakes(crew: Crew, tally: Tally) -> None:
    load = crew.load(events=24_000, calls=24, seconds=55, seed=3)
    crew.sleep(4)
    for worker in crew.workers:
        crew.workers.freeze(worker)
        # The group notices after a session; the others take over, and work on what was its.
        crew.sleep(SESSION_SECONDS * 2)
        crew.workers.wake()
        crew.sleep(4)
    result = crew.finish(load)
    _conclude(load, result, tally, "3 sleeps of two sessions")


def test_20_joins_and_leaves_keep_every_key_in_sequence(crew: Crew, tally: Tally) -> None:
    load = crew.load(events=20_000, calls=24, seconds=100, seed=4)
    guests = [_guest(crew, number) for number in range(2)]
    with ThreadPoolExecutor(2) as both:
        for _ in range(ROUNDS):
            for guest in guests:
                guest.start()
            list(both.map(WorkerProcess.wait_ready, guests))
            codes = list(both.map(WorkerProcess.stop, guests))
            assert codes == [0, 0]
    result = crew.finish(load)
    result.problems += asyncio.run(_out_of_sequence(crew, load))
    _conclude(load, result, tally, f"{2 * ROUNDS} joins, {2 * ROUNDS} leaves")


def test_a_broker_that_is_stopped_and_one_that_is_killed_lose_nothing_that_was_acknowledged(crew: Crew, tally: Tally) -> None:
    load = crew.load(events=20_000, calls=20, seconds=45, seed=5)
    crew.sleep(6)
    crew.place.stack.stop_part("kafka")
    crew.sleep(5)
    crew.place.stack.start_part("kafka")
    crew.sleep(10)
    crew.place.stack.kill("kafka")
    crew.place.stack.start_part("kafka")
    result = crew.finish(load)
    _conclude(load, result, tally, "1 stop, 1 kill")
    assert result.ended_by_themselves == 0, "the workers resume alone"


def _conclude(load: Load, result: Result, tally: Tally, what: str) -> None:
    counted = f"{load.events} events, {len(load.calls)} calls; {what}"
    if result.ended_by_themselves:
        counted += f"; {result.ended_by_themselves} workers ended by themselves"
    tally.count(counted, lost=result.lost, duplicated=result.duplicated)
    assert result.problems == []
    assert (result.lost, result.duplicated) == (0, 0)


def _guest(crew: Crew, number: int) -> WorkerProcess:
    folder = crew.place.folder / "crew"
    return WorkerProcess(crew.place.folder.absolute(), folder / f"guest-{number}", folder / "logs" / f"guest-{number}.log", SETTINGS)


async def _out_of_sequence(crew: Crew, load: Load) -> list[str]:
    """Within a partition, events are stored in the order of their numbers, each once: the step from one to the next of a key is always one."""
    numbers = {event_id(number).decode(): number for number in range(load.events)}
    warehouse = Warehouse(crew.place.settings)
    try:
        rows = await warehouse.query(
            "SELECT toString(event_id) AS id, kafka_topic AS topic, kafka_partition AS partition, toUnixTimestamp64Milli(processed_at) AS at"
            " FROM voc_events WHERE startsWith(tenant_id, {t:String}) ORDER BY topic, partition, kafka_offset",
            {"t": load.name},
        )
    finally:
        await warehouse.close()
    found: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        found[row["topic"], row["partition"]].append((numbers[row["id"]], row["at"]))
    problems = []
    for place, events in found.items():
        wrong = sum(later[0] <= earlier[0] or later[1] < earlier[1] for earlier, later in pairwise(events))
        problems += [f"{place}: {wrong} events are out of sequence"] if wrong else []
    return problems
