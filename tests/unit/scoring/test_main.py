"""The service as a process; the only tests here that start one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession

from tests.unit.scoring.sounds import dialogue, wav
from tests.unit.scoring.test_service import form

Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Process] = []

    async def begin(*arguments: str, **settings: str) -> Process:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "LOG_FORMAT": "json", **settings}
        command = (sys.executable, "-m", "voc_stream.scoring", *arguments)
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment, stdout=PIPE, stderr=PIPE)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


async def until_ready(session: ClientSession, url: str, process: Process) -> None:
    async with asyncio.timeout(60):
        while process.returncode is None:
            try:
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return
            except ClientConnectionError:
                await asyncio.sleep(0)


async def test_it_serves_until_sigterm_and_then_ends_with_0(start: Start) -> None:
    port = free_port()
    process = await start("--port", port, SCORER_ASR="off")
    url = f"http://127.0.0.1:{port}"
    async with ClientSession() as session:
        await until_ready(session, url, process)
        async with session.post(f"{url}/v1/score", data=form(wav(dialogue((("agent", "Hello there."), ("customer", "Good morning.")))))) as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    _, logged = await process.communicate()
    assert process.returncode == 0
    assert b"no_speech_recognition" in logged
    assert b'"event": "scored"' in logged
    assert b'"event": "stopped"' in logged


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SCORER_PORT": "0"}, b"SCORER_PORT"),
        ({"SCORER_RUBRIC_FILE": "none.yaml"}, b"none.yaml: cannot be read"),
        ({"SCORER_CPUS": "many"}, b"SCORER_CPUS=many"),
    ],
)
async def test_a_wrong_setting_ends_it_with_one_line(start: Start, settings: dict[str, str], message: bytes) -> None:
    process = await start(**settings)
    _, told = await process.communicate()
    assert process.returncode == 1
    assert message in told
    assert told.count(b"\n") == 1


async def test_a_model_that_is_not_there_ends_it_with_its_reason(start: Start, tmp_path: Path) -> None:
    process = await start("--port", free_port(), SCORER_MODEL_PATH=str(tmp_path))
    _, logged = await process.communicate()
    assert process.returncode == 1
    assert b"lacks model.bin" in logged
    assert b"Traceback" not in logged


async def test_help_names_its_options(start: Start) -> None:
    told, _ = await (await start("--help")).communicate()
    assert b"--port" in told
    assert b"SCORER_" in told
