"""Calls on request, and the truth about them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.devstack.recorder.conftest import NOON, Simulator
from voc_stream.devstack.recorder.kinds import KINDS


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "two_hours"])
async def test_every_kind_can_be_made_and_tells_what_should_become_of_it(simulator: Simulator, kind: str) -> None:
    calls = await simulator.add(kind=kind)

    assert [call["inum"] for call in calls] == [call["inum"] for call in (await simulator.told("calls"))["calls"]]
    for call in calls:
        assert call["expected"] == KINDS[kind].expected
        assert call["ended_at"] == NOON.isoformat() or len(calls) == 2
        assert (await simulator.told(f"calls/{call['inum']}")) == call


async def test_a_call_ends_now_and_began_its_length_ago(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=90)

    assert (call["started_at"], call["ended_at"]) == ((NOON - timedelta(seconds=90)).isoformat(), NOON.isoformat())


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        ({"started_at": NOON - timedelta(seconds=500)}, -500, -470),
        ({"ended_at": NOON - timedelta(seconds=500)}, -530, -500),
        ({"started_at": NOON - timedelta(seconds=500), "ended_at": NOON}, -500, 0),
        ({"hang_up": 15}, -15, 15),
        ({"hang_up": "never"}, -30, None),
        ({"hang_up": "never", "started_at": NOON - timedelta(seconds=7000)}, -7000, None),
    ],
)
async def test_its_times_can_be_fixed(simulator: Simulator, given: dict[str, Any], start: int, end: int | None) -> None:
    body = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in given.items()}

    (call,) = await simulator.add(kind="tone", seconds=30, **body)

    assert call["started_at"] == (NOON + timedelta(seconds=start)).isoformat()
    assert call["ended_at"] == (None if end is None else (NOON + timedelta(seconds=end)).isoformat())


async def test_many_calls_can_hang_up_one_after_the_other(simulator: Simulator) -> None:
    calls = await simulator.add(kind="tone", seconds=10, count=4, every_seconds=3)

    assert [call["ended_at"] for call in calls] == [(NOON + timedelta(seconds=3 * number)).isoformat() for number in range(4)]
    told = await simulator.told("calls")
    assert (told["planned"], told["entered"], told["over"]) == (4, 4, 1)


async def test_the_same_seed_makes_the_same_calls(simulator: Simulator) -> None:
    async def made() -> list[dict[str, Any]]:
        calls = await simulator.add(kind="stereo", count=3, seed=5, dialogue="praise_short")
        return [{key: value for key, value in call.items() if key not in {"inum", "switch_call_id"}} for call in calls]

    assert await made() == await made()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "opera"},
        {"dialogue": "hamlet"},
        {"format": "vinyl"},
        {"channels": 3},
        {"count": 0},
        {"seconds": 0},
        {"started_at": "2026-03-02T12:00:00"},
        {"hang_up": "soon"},
        {"style": {"time": "sundial"}},
        {"sort": "stereo"},
    ],
)
async def test_a_call_that_cannot_be_is_refused_with_a_reason(simulator: Simulator, wrong: dict[str, Any]) -> None:
    async with simulator.session.post("/control/calls", json=wrong) as answer:
        assert answer.status == 422
        assert next(iter(wrong)) in (await answer.json())["error"]
    assert len(simulator.recorder.calls) == 0


async def test_a_plan_enters_its_calls_by_itself(simulator: Simulator) -> None:
    async with simulator.session.post("/control/arrivals", json={"calls": 12, "rate": 600, "seed": 3}) as answer:
        assert answer.status == 202

    while (told := await simulator.told("calls"))["entered"] < 12:
        assert told["planned"] == 12
        await asyncio.sleep(0.05)

    assert told["planned"] == told["entered"] == 12


async def test_requests_are_counted_by_command_and_status(simulator: Simulator) -> None:
    (call,) = await simulator.add(kind="tone", seconds=2)
    await simulator.search()
    for inum in (call["inum"], "nothing"):
        await simulator.replay(inum)
    async with simulator.session.get("/searchapi", headers={"Authorization": ""}):
        pass

    stats = await simulator.told("stats")

    assert stats["requests"] == {"search": {"200": 1}, "replay": {"200": 1, "404": 1}, "delete": {}, "unknown": {"401": 1}}
    assert stats["bytes_replayed"] == call["size"]
    assert (stats["replays_in_flight"], stats["most_replays_in_flight"]) == (0, 1)
    assert (await simulator.told(f"calls/{call['inum']}"))["replays"] == 1


async def test_reset_leaves_an_empty_recorder(simulator: Simulator) -> None:
    await simulator.add(kind="missing", dialogue="praise_short")
    async with simulator.session.post("/control/arrivals", json={"calls": None, "rate": 0.1}) as answer:
        assert answer.status == 202
    assert (await simulator.told("calls"))["planned"] is None

    async with simulator.session.post("/control/reset") as answer:
        assert answer.status == 204

    assert await simulator.told("calls") == {"planned": 0, "entered": 0, "over": 0, "calls": []}
    assert (await simulator.told("faults"))["faults"] == []
    assert (await simulator.told("stats"))["requests"] == {"search": {}, "replay": {}, "delete": {}}


async def test_an_unknown_call_is_404(simulator: Simulator) -> None:
    async with simulator.session.get("/control/calls/1") as answer:
        assert answer.status == 404
    async with simulator.session.post("/control/calls/1/hangup") as answer:
        assert answer.status == 404
