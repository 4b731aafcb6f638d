"""Every way to fail, asked for over the control API."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import defusedxml
import pytest
from aiohttp import hdrs
from defusedxml import ElementTree

from tests.unit.devstack.recorder.conftest import NOON, Simulator


async def statuses(simulator: Simulator, inum: str, count: int) -> list[int]:
    return [(await simulator.replay(inum))[0] for _ in range(count)]


async def one(simulator: Simulator, **wanted: Any) -> str:
    (call,) = await simulator.add(**({"kind": "tone", "seconds": 30} | wanted))
    return str(call["inum"])


async def test_an_error_happens_as_often_as_asked_and_says_when_to_retry(simulator: Simulator) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="error", status=500, times=2, retry_after=7)

    async with simulator.session.get("/searchapi", params=simulator.window(NOON, NOON)) as answer:
        assert (answer.status, answer.headers[hdrs.RETRY_AFTER]) == (500, "7")

    assert await statuses(simulator, inum, 2) == [500, 200]


async def test_an_error_of_one_recording_leaves_its_neighbours_and_searches_alone(simulator: Simulator) -> None:
    sick, well = await one(simulator), await one(simulator)
    await simulator.fault(kind="error", inum=sick)

    assert await statuses(simulator, sick, 2) == [503, 503]
    assert await statuses(simulator, well, 1) == [200]
    assert sick in await simulator.search()


async def test_an_error_of_searches_leaves_replays_alone(simulator: Simulator) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="error", command="search")

    async with simulator.session.get("/searchapi", params=simulator.window(NOON, NOON)) as answer:
        assert answer.status == 503
        assert hdrs.RETRY_AFTER not in answer.headers
    assert await statuses(simulator, inum, 1) == [200]


async def test_latency_delays_only_the_command_it_is_for(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    inum = await one(simulator)
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    await simulator.fault(kind="latency", command="replay", seconds=1.5)
    monkeypatch.setattr("voc_stream.devstack.recorder.server.asyncio.sleep", note)

    await simulator.search()
    assert waited == []
    await simulator.replay(inum)
    assert waited == [1.5]


async def test_a_recording_can_be_missing_a_number_of_times(simulator: Simulator) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="missing", inum=inum, times=2)

    assert await statuses(simulator, inum, 3) == [404, 404, 200]


async def test_a_recording_can_be_missing_until_a_moment(simulator: Simulator) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="missing", inum=inum, until=(simulator.clock.now + timedelta(seconds=10)).isoformat())
    assert await statuses(simulator, inum, 2) == [404, 404]

    simulator.clock.advance(10)

    assert await statuses(simulator, inum, 1) == [200]


@pytest.mark.parametrize(("kind", "expected"), [("missing", [404] * 4), ("missing_first", [404, 404, 200, 200]), ("fails", [500] * 4)])
async def test_some_kinds_of_calls_are_born_with_their_fault(simulator: Simulator, kind: str, expected: list[int]) -> None:
    inum = await one(simulator, kind=kind, dialogue="praise_short", variant=0, seconds=None)

    assert await statuses(simulator, inum, 4) == expected


@pytest.mark.parametrize("after", [0, 1, 20_000, 262_144, 300_000, 10_000_000])
async def test_a_stream_breaks_off_after_the_bytes_asked_for(simulator: Simulator, after: int) -> None:
    inum = await one(simulator)
    size = 30 * 16_000 + 44
    await simulator.fault(kind="break", inum=inum, after_bytes=after, times=1)

    got = bytearray()
    with pytest.raises(aiohttp.ClientError):  # noqa: PT012 (the failure may come with the headers or in the body)
        async with simulator.session.get("/searchapi", params={"command": "replay", "id": inum}) as answer:
            assert answer.status == 200
            async for chunk in answer.content.iter_any():
                got += chunk

    assert len(got) == min(after, size - 1)
    assert len((await simulator.replay(inum))[1]) == size


async def test_a_chunked_stream_that_breaks_off_is_seen_as_broken(simulator: Simulator) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="chunked", command="replay")
    await simulator.fault(kind="break", inum=inum, after_bytes=1000)

    with pytest.raises(aiohttp.ClientPayloadError):
        await simulator.replay(inum)


@pytest.mark.parametrize("after", [0, 20_000, 262_144, 300_000])
async def test_a_stream_stalls_after_the_bytes_asked_for_and_is_let_go_with_its_client(simulator: Simulator, after: int) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="stall", inum=inum, after_bytes=after)

    got = bytearray()
    with pytest.raises(asyncio.TimeoutError):  # noqa: PT012 (what came before the stall is counted)
        async with simulator.session.get(
            "/searchapi", params={"command": "replay", "id": inum}, timeout=aiohttp.ClientTimeout(sock_read=0.3)
        ) as answer:
            async for chunk in answer.content.iter_any():
                got += chunk

    assert len(got) == after
    while simulator.recorder.replays_in_flight:
        await asyncio.sleep(0.01)


async def test_a_stall_with_an_end_goes_on(simulator: Simulator) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="stall", inum=inum, after_bytes=100, seconds=0.01, times=1)

    assert len((await simulator.replay(inum))[1]) == 30 * 16_000 + 44


async def test_broken_xml_cannot_be_parsed(simulator: Simulator) -> None:
    await simulator.fault(kind="broken_xml", times=1)

    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(await simulator.search())
    assert ElementTree.fromstring(await simulator.search()).tag == "results"


async def test_a_dtd_bomb_is_refused_by_a_parser_that_forbids_dtds(simulator: Simulator) -> None:
    await simulator.fault(kind="dtd_bomb", times=1)

    bomb = await simulator.search()

    with pytest.raises(defusedxml.DTDForbidden):
        ElementTree.fromstring(bomb, forbid_dtd=True)
    with pytest.raises(defusedxml.EntitiesForbidden):
        ElementTree.fromstring(bomb)


@pytest.mark.parametrize("layout", ["segment", "contact"])
async def test_duplicated_records_come_twice(simulator: Simulator, layout: str) -> None:
    inum, other = await one(simulator), await one(simulator)
    await simulator.fault(kind="duplicate", inum=inum, times=1)

    twice, once = await simulator.search(layout=layout), await simulator.search(layout=layout)

    assert (twice.count(f"{inum}<" if layout == "contact" else f'"{inum}"'), len(ElementTree.fromstring(twice))) == (2, 3)
    assert len(ElementTree.fromstring(once)) == 2
    assert other in twice


async def test_late_records_show_up_after_the_delay(simulator: Simulator) -> None:
    await simulator.fault(kind="late", seconds=60)
    inum = await one(simulator)
    simulator.clock.advance(59)
    assert inum not in await simulator.search()

    simulator.clock.advance(1)

    assert inum in await simulator.search()


async def test_a_call_can_be_late_by_itself(simulator: Simulator) -> None:
    late, other = await one(simulator, late_seconds=30), await one(simulator)
    shown = await simulator.search()
    assert late not in shown
    assert other in shown

    simulator.clock.advance(30)

    assert late in await simulator.search()


async def test_a_skewed_clock_shifts_what_is_told_and_what_is_searched(simulator: Simulator) -> None:
    inum = await one(simulator, style={"time": "iso"})
    await simulator.fault(kind="clock_skew", seconds=-120)

    shown = await simulator.search(NOON - timedelta(seconds=150), NOON - timedelta(seconds=150))

    assert inum in shown
    assert "2026-03-02T12:57:30" in shown
    assert inum not in await simulator.search(NOON - timedelta(seconds=30), NOON - timedelta(seconds=30))


@pytest.mark.parametrize("command", ["search", "replay"])
async def test_chunked_answers_have_no_length(simulator: Simulator, command: str) -> None:
    inum = await one(simulator)
    await simulator.fault(kind="chunked", command=command)
    query = simulator.window(NOON, NOON) if command == "search" else {"command": "replay", "id": inum}

    async with simulator.session.get("/searchapi", params=query) as answer:
        assert answer.headers[hdrs.TRANSFER_ENCODING] == "chunked"
        assert hdrs.CONTENT_LENGTH not in answer.headers
        assert await answer.read()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "nonsense"},
        {"kind": "latency"},
        {"kind": "late", "seconds": -1},
        {"kind": "broken_xml", "command": "replay"},
        {"kind": "stall", "command": "search"},
        {"kind": "error", "status": 200},
        {"kind": "error", "until": "2026-03-02T12:00:00"},
        {"kind": "error", "times": 0},
        {"kind": "error", "colour": "red"},
        [],
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_a_reason(simulator: Simulator, wrong: object) -> None:
    async with simulator.session.post("/control/faults", json=wrong) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]


async def test_faults_are_listed_and_removed(simulator: Simulator) -> None:
    first = await simulator.fault(kind="error", times=3)
    second = await simulator.fault(kind="latency", seconds=2)
    listed = (await simulator.told("faults"))["faults"]
    assert [(fault["id"], fault["kind"], fault["left"]) for fault in listed] == [(first, "error", 3), (second, "latency", None)]

    for status in (204, 404):
        async with simulator.session.delete(f"/control/faults/{first}") as answer:
            assert answer.status == status
    assert [fault["id"] for fault in (await simulator.told("faults"))["faults"]] == [second]

    async with simulator.session.delete("/control/faults") as answer:
        assert answer.status == 204
    assert (await simulator.told("faults"))["faults"] == []
