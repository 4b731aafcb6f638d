"""A worker's tables deleted, damaged, on a full disk, or left with half a window: every event is stored once all the same (docs/health.md)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.voc.line import Line
from tests.integration.voc.test_windows import ids, values
from tests.tally import Tally
from voc_stream.devstack.worker_process import WorkerProcess

MIB = 1 << 20


def delete(tables: list[Path]) -> None:
    for table in tables:
        shutil.rmtree(table)


def garble(tables: list[Path]) -> None:
    for table in tables:
        next(table.glob("MANIFEST-*")).write_bytes(b"garbage" * 10)


@pytest.mark.chaos
async def test_tables_that_were_deleted_or_damaged_are_read_again_and_know_every_event(line: Line, tally: Tally) -> None:
    written = values(0, 300)
    worker = await line.started()
    await line.write(written)
    await line.until_committed(300)
    damages: list[Callable[[list[Path]], None]] = [delete, garble]
    for number, damage in enumerate(damages, 1):
        await asyncio.to_thread(worker.stop)
        tables = await asyncio.to_thread(lambda: sorted((line.folder / "worker").rglob("event-ranges-*.db")))
        assert tables
        damage(tables)
        worker = await line.started()
        written += values(1000 * number, 10)
        last = await line.write([*written[:300], *written[-10:]])
        await line.until_committed(last[-1] + 1)
    stored = [row["id"] for row in await line.rows()]
    wanted = ids(0, 300) | ids(1000, 10) | ids(2000, 10)
    tally.count(f"{len(damages)} damages, {len(stored)} events", lost=len(wanted - set(stored)), duplicated=len(stored) - len(set(stored)))
    assert (len(stored), set(stored)) == (320, wanted)
    assert "is damaged: it is made anew from the changelog" in worker.log.read_text()


async def test_half_a_window_is_stored_after_a_restart_though_nothing_new_comes(line: Line, tally: Tally) -> None:
    worker = await line.started(BATCH_FLUSH_SECONDS="600")
    await line.write(values(0, 200))

    async def fetched() -> bool:
        found = re.search(r'queue_depth\{stage="voc"\} ([0-9.]+)', await asyncio.to_thread(worker.metrics))
        return found is not None and float(found[1]) >= 200  # with what others have in the overflow topic

    await line.until(lambda: "half a window waits", fetched)
    worker.kill()
    await line.started()
    await line.until_committed(200)
    stored = [row["id"] for row in await line.rows()]
    tally.count(f"{len(stored)} events", lost=len(ids(0, 200) - set(stored)), duplicated=len(stored) - len(set(stored)))
    assert (len(stored), set(stored)) == (200, ids(0, 200))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 MiB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={96 * MIB}", "tmpfs", str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_on_a_full_disk_the_worker_waits_alive_and_not_ready_and_goes_on_when_there_is_room(line: Line, small_disk: Path, tally: Tally) -> None:
    worker = await line.started(STATE_DIR=str(small_disk), STATE_MIN_FREE_BYTES=str(16 * MIB), BATCH_FLUSH_SECONDS="0.2")
    await line.write(values(0, 100))
    await line.until_committed(100)
    filler = small_disk / "filler"
    await asyncio.to_thread(fill, filler)
    await line.write(values(100, 100))

    async def waits() -> bool:
        return any(reason.startswith("state: ") for reason in (await ask(worker, "readyz")).get("reasons", []))

    await line.until(lambda: "/readyz names the disk", waits)
    assert await ask(worker, "healthz") == {"status": "ok"}
    assert worker.poll() is None
    await asyncio.to_thread(filler.unlink)
    await line.until_committed(200)
    stored = [row["id"] for row in await line.rows()]
    tally.count(f"{len(stored)} events", lost=len(ids(0, 200) - set(stored)), duplicated=len(stored) - len(set(stored)))
    assert (len(stored), set(stored)) == (200, ids(0, 200))
    await asyncio.to_thread(worker.wait_ready)


def fill(file: Path) -> None:
    """Leave no byte free."""
    with file.open("wb", buffering=0) as opened:
        try:
            while opened.write(bytes(64 << 10)):
                pass
        except OSError:
            assert os.statvfs(file.parent).f_bavail == 0


async def ask(worker: WorkerProcess, page: str) -> dict[str, Any]:
    """Return what a page says."""

    def read() -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/{page}", timeout=5) as answer:
                said: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = json.load(error)
        return said

    return await asyncio.to_thread(read)
