"""A simulator in this process, behind a real server, with a clock that tests set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.server import create_app

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)  # 13:00 in Berlin


class Clock:
    """The time, as told by the test."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Simulator:
    """A client of both sides of the simulator."""

    def __init__(self, session: aiohttp.ClientSession, recorder: Recorder, clock: Clock) -> None:
        self.session = session
        self.recorder = recorder
        self.clock = clock

    async def add(self, **wanted: Any) -> list[dict[str, Any]]:
        async with self.session.post("/control/calls", json=wanted) as answer:
            assert answer.status == 201, await answer.text()
            calls: list[dict[str, Any]] = (await answer.json())["calls"]
            return calls

    async def fault(self, **fault: Any) -> int:
        async with self.session.post("/control/faults", json=fault) as answer:
            assert answer.status == 201, await answer.text()
            return int((await answer.json())["id"])

    async def told(self, path: str) -> dict[str, Any]:
        async with self.session.get(f"/control/{path}") as answer:
            assert answer.status == 200
            told: dict[str, Any] = await answer.json()
            return told

    def window(self, first: datetime | str, last: datetime | str, layout: str = "segment") -> dict[str, str]:
        """Parameters of a search; edges are moments, or wall-clock times of the recorder as `dd/mm/yy HH:MM:SS`."""
        query = {"command": "search", "layout": layout, "operator_startedat": "9"}
        for number, edge in ((1, first), (3, last)):
            wall = edge if isinstance(edge, str) else edge.astimezone(BERLIN).strftime("%d/%m/%y %H:%M:%S")
            query[f"param{number}_startedat"], query[f"param{number + 1}_startedat"] = wall.split(" ")
        return query

    async def search(self, first: datetime | str | None = None, last: datetime | str | None = None, layout: str = "segment") -> str:
        """The XML of a search; by default over a day before and after the present."""
        day = timedelta(days=1)
        async with self.session.get("/searchapi", params=self.window(first or self.clock.now - day, last or self.clock.now + day, layout)) as answer:
            assert answer.status == 200
            return await answer.text()

    async def replay(self, inum: str) -> tuple[int, bytes]:
        async with self.session.get("/searchapi", params={"command": "replay", "id": inum}) as answer:
            return answer.status, await answer.read()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings made once for all tests."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture
async def simulator(made: Path, clock: Clock) -> AsyncIterator[Simulator]:
    recorder = Recorder(made, zone=BERLIN, result_cap=5, clock=clock, first_inum=700_000_000_000_001)
    server = TestServer(create_app(recorder, username="tester", password=SecretStr("made-up")))
    await server.start_server()
    headers = {"Authorization": aiohttp.encode_basic_auth("tester", "made-up")}
    async with aiohttp.ClientSession(server.make_url("/"), headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Simulator(session, recorder, clock)
    await server.close()
