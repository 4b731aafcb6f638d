"""The people's side is started again when it ends, and ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from voc_stream.services.people_side import PeopleSide

PATIENCE_SECONDS = 60.0


def program(folder: Path, then: str) -> tuple[str, ...]:
    """Return a program that notes its id and options, and does something then."""
    code = f"import os, sys, time; open({str(folder / 'starts')!r}, 'a').write(str(os.getpid()) + ' ' + ' '.join(sys.argv[1:]) + '\\n'); {then}"
    return (sys.executable, "-S", "-c", code)


async def starts(folder: Path, count: int) -> list[list[str]]:
    """Wait for so many starts; returns the words of each."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            file = folder / "starts"
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) >= count:
                return [line.split() for line in lines]
            await asyncio.sleep(0.02)


async def test_it_is_told_of_the_worker_and_started_again_however_it_ends(tmp_path: Path) -> None:
    side = PeopleSide(lambda: 8001, program(tmp_path, "sys.exit(3)"), backoff=0.01)
    running = asyncio.create_task(side.run())
    first, *_ = await starts(tmp_path, 3)
    await side.stop()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert first[1:] == ["--worker", "8001", "--parent", str(os.getpid())]


async def test_it_ends_when_it_is_told_to_also_where_it_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voc_stream.services.people_side.GRACE_SECONDS", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    side = PeopleSide(lambda: 8001, program(tmp_path, deaf), backoff=0.01)
    running = asyncio.create_task(side.run())
    ((pid, *_),) = await starts(tmp_path, 1)
    await side.stop()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


async def test_a_program_that_is_not_there_is_tried_again_and_stops_nobody() -> None:
    side = PeopleSide(lambda: 8001, ("/no/such/program",), backoff=0.01)
    running = asyncio.create_task(side.run())
    await asyncio.sleep(0.05)
    assert not running.done()
    await side.stop()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
