"""What every recorder client does: the fake, and the real one against the simulator."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from tests.fakes.recorder import FakeRecorder
from voc_stream.clients.recorder import RecorderClient
from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.server import create_app
from voc_stream.errors import NotThereYetError, ThrottledError, TransientError
from voc_stream.settings import Settings
from voc_stream.stages.outside import Segment

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
LENGTH = timedelta(seconds=8)
CAP = 3


class Bench(ABC):
    """A recorder client, and a hand on the recorder behind it."""

    recorder: RecorderClient | FakeRecorder

    @abstractmethod
    async def record(self, started_at: datetime, *, over: bool = True) -> tuple[str, str]:
        """Record a call of `LENGTH`; return its inum and the SHA-256 of its recording."""

    @abstractmethod
    async def break_replay(self, inum: str) -> None:
        """Let the next replay break off."""

    @abstractmethod
    async def refuse_search(self, status: int, retry_after: int | None) -> None:
        """Let the next search fail."""


class FakeBench(Bench):
    def __init__(self) -> None:
        self.recorder: FakeRecorder = FakeRecorder(result_cap=CAP)

    async def record(self, started_at: datetime, *, over: bool = True) -> tuple[str, str]:
        inum = str(700_000_000_000_000 + len(self.recorder.segments))
        audio = inum.encode() * 10_000
        self.recorder.add(Segment(inum=inum, started_at=started_at, ended_at=started_at + LENGTH if over else None), audio if over else None)
        return inum, hashlib.sha256(audio).hexdigest()

    async def break_replay(self, inum: str) -> None:
        self.recorder.break_next(inum, 5000)

    async def refuse_search(self, status: int, retry_after: int | None) -> None:
        kind = TransientError if retry_after is None else ThrottledError
        self.recorder.fail_next("search", kind("recorder", f"it answered {status}", retry_after=retry_after))


class SimulatorBench(Bench):
    def __init__(self, client: RecorderClient, control: aiohttp.ClientSession) -> None:
        self.recorder: RecorderClient = client
        self.control = control

    async def record(self, started_at: datetime, *, over: bool = True) -> tuple[str, str]:
        when: dict[str, Any] = {"ended_at": (started_at + LENGTH).isoformat()} if over else {"hang_up": "never"}
        wanted = {"kind": "silent", "seconds": LENGTH.total_seconds(), "started_at": started_at.isoformat(), **when}
        async with self.control.post("/control/calls", json=wanted) as answer:
            assert answer.status == 201, await answer.text()
            call = (await answer.json())["calls"][-1]
        return call["inum"], call["sha256"]

    async def break_replay(self, inum: str) -> None:
        await self._fault(kind="break", inum=inum, times=1, after_bytes=5000)

    async def refuse_search(self, status: int, retry_after: int | None) -> None:
        await self._fault(kind="error", command="search", times=1, status=status, **({} if retry_after is None else {"retry_after": retry_after}))

    async def _fault(self, **fault: Any) -> None:
        async with self.control.post("/control/faults", json=fault) as answer:
            assert answer.status == 201, await answer.text()


@pytest.fixture(params=["fake", *(pytest.param(layout, marks=pytest.mark.integration) for layout in ("segment", "contact"))])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    if request.param == "fake":
        yield FakeBench()
        return
    recorder = Recorder(tmp_path, zone=ZoneInfo("Europe/Berlin"), result_cap=CAP, clock=lambda: NOON + timedelta(hours=1))
    server = TestServer(create_app(recorder, username="tester", password=SecretStr("made-up")))
    await server.start_server()
    client = RecorderClient(
        Settings(
            avaya_url=str(server.make_url("/searchapi")),
            avaya_username="tester",
            avaya_password=SecretStr("made-up"),
            avaya_timezone="Europe/Berlin",
            avaya_layout=request.param,
            avaya_result_cap=CAP,
        )
    )
    await client.open()
    async with aiohttp.ClientSession(server.make_url("/"), headers={"Authorization": aiohttp.encode_basic_auth("tester", "made-up")}) as control:
        yield SimulatorBench(client, control)
        async with control.get("/control/stats") as answer:
            assert (await answer.json())["requests"]["delete"] == {}
    await client.close()
    await server.close()


async def test_a_call_is_found_by_its_start_with_its_times(bench: Bench) -> None:
    inum, _ = await bench.record(NOON)
    found = await bench.recorder.search(NOON, NOON)
    assert [(each.inum, each.started_at, each.ended_at) for each in found.segments] == [(inum, NOON, NOON + LENGTH)]
    assert not found.capped
    assert found.rejects == ()


async def test_a_call_outside_of_the_window_is_not_found(bench: Bench) -> None:
    await bench.record(NOON)
    before = await bench.recorder.search(NOON - timedelta(minutes=1), NOON - timedelta(seconds=1))
    after = await bench.recorder.search(NOON + timedelta(seconds=1), NOON + timedelta(minutes=1))
    assert (before.segments, after.segments) == ((), ())


async def test_a_call_in_progress_has_no_end(bench: Bench) -> None:
    inum, _ = await bench.record(NOON, over=False)
    (segment,) = (await bench.recorder.search(NOON, NOON + timedelta(minutes=1))).segments
    assert (segment.inum, segment.ended_at) == (inum, None)


async def test_a_result_as_long_as_the_cap_says_so(bench: Bench) -> None:
    started = [NOON + timedelta(minutes=minute) for minute in range(CAP + 1)]
    inums = [(await bench.record(moment))[0] for moment in started]
    found = await bench.recorder.search(started[0], started[-1])
    assert found.capped
    assert [segment.inum for segment in found.segments] == inums[:CAP]


async def test_a_recording_arrives_byte_for_byte(bench: Bench) -> None:
    inum, sha256 = await bench.record(NOON)
    async with bench.recorder.replay(inum) as recording:
        data = b"".join([chunk async for chunk in recording.chunks()])
    assert hashlib.sha256(data).hexdigest() == sha256
    assert recording.size == len(data)
    assert recording.content_type.startswith("audio/")


async def test_a_recording_that_is_not_there_is_told_apart_from_a_fault(bench: Bench) -> None:
    with pytest.raises(NotThereYetError):
        async with bench.recorder.replay("799999999999999"):
            pass


async def test_a_recording_that_breaks_off_is_worth_another_try_which_passes(bench: Bench) -> None:
    inum, sha256 = await bench.record(NOON)
    await bench.break_replay(inum)
    with pytest.raises(TransientError):
        async with bench.recorder.replay(inum) as recording:
            assert [chunk async for chunk in recording.chunks()]
    async with bench.recorder.replay(inum) as recording:
        assert hashlib.sha256(b"".join([chunk async for chunk in recording.chunks()])).hexdigest() == sha256


async def test_a_busy_recorder_is_waited_for_only_if_it_says_how_long(bench: Bench) -> None:
    await bench.refuse_search(503, None)
    with pytest.raises(TransientError):
        await bench.recorder.search(NOON, NOON)
    await bench.refuse_search(503, 7)
    with pytest.raises(ThrottledError) as caught:
        await bench.recorder.search(NOON, NOON)
    assert caught.value.retry_after == 7


async def test_a_healthy_recorder_passes_the_probe(bench: Bench) -> None:
    await bench.recorder.probe()
