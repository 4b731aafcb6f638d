"""A worker and the process of the people's side that it started: what becomes of that one is nothing to the worker, and it never outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from tests.integration.health.conftest import PATIENCE_SECONDS, Patient, Ward
from voc_stream.devstack.ports import free_port


async def test_a_worker_does_not_feel_that_its_people_s_side_is_killed_starts_it_again_and_takes_it_along_when_it_is_killed(ward: Ward) -> None:
    port = free_port()
    worker = ward.admit(WEB_ENABLED="true", HTTP_PORT=str(port))
    await worker.says("readyz", lambda status, _: status == 200)
    await until(lambda: answers(port, "readyz") == 200, worker)

    (first,) = started(worker)
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(started(worker)) == 2 and answers(port, "healthz") == 200, worker)
    assert worker.ask("readyz")[0] == worker.ask("healthz")[0] == 200
    assert "voc_people_side_ends_total 1.0" in page(worker.port, "metrics")

    worker.process.kill()
    await until(lambda: answers(port, "healthz") == 0, worker)


async def until(holds: Callable[[], bool], worker: Patient) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, worker.last_lines()
        await asyncio.sleep(0.1)


def started(worker: Patient) -> list[int]:
    """Return the ids of the processes that the worker says it started."""
    lines = [line for line in worker.log.read_text().splitlines() if "the people's side was started" in line]
    return [int(json.loads(line)["pid"]) for line in lines]


def answers(port: int, path: str) -> int:
    """Return the status of a page; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
        text: bytes = answer.read()
    return text.decode()
