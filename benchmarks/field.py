"""Where the parts measure: a stack of their own in a temporary folder, with workers; nothing is left of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from benchmarks.processes import parts_of
from benchmarks.report import say
from voc_stream.devstack.audit import Audit, Findings
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.worker_process import ROOT, WorkerProcess
from voc_stream.settings import Settings, load_settings

FOLDER = ROOT / ".stack-bench"
SERVERS = ("kafka", "postgres", "s3", "clickhouse", "recorder")
PATIENCE_SECONDS = 300.0

# For parts that do not measure polling: a call is found at once.
AT_ONCE = {"AVAYA_POLL_SECONDS": "1", "AVAYA_GUARD_SECONDS": "0", "AVAYA_SWEEP_SECONDS": "2", "AVAYA_MAX_CALL_SECONDS": "7500"}


class Field:
    """A stack and what is asked of it; blocking. Use as a context manager.

    Args:
        parts: of the stack; empty: all, the scoring service too.
        env: environment of the recorder simulator and the scoring service.
    """

    def __init__(self, *, parts: Sequence[str] = SERVERS, env: Mapping[str, str] | None = None) -> None:
        FOLDER.mkdir(mode=0o755, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=FOLDER))
        self._stack = Stack(self.folder, parts=parts, any_ports=True, recorder_args=["--calls", "0"], env=env)

    def __enter__(self) -> Self:
        began = time.monotonic()
        try:
            self._stack.start()
        except BaseException:
            self._remove()
            raise
        say(f"the stack is up ({time.monotonic() - began:.0f} s)")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()

    @property
    def stack(self) -> Stack:
        """The stack, for those who hurt it."""
        return self._stack

    @cached_property
    def simulator(self) -> Simulator:
        """The recorder's control API."""
        return Simulator(self._endpoints)

    @cached_property
    def _endpoints(self) -> dict[str, str]:
        return self._stack.endpoints

    @property
    def settings(self) -> Settings:
        """What leads to the stack's servers."""
        return load_settings(**{name.lower(): value for name, value in self._endpoints.items() if name.lower() in Settings.model_fields})

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each part."""
        return parts_of(self._stack.pid or os.getpid())

    @contextmanager
    def worker(self, settings: Mapping[str, str], *, name: str = "worker", ready: bool = True) -> Iterator[WorkerProcess]:
        """Lend a worker; it ends with the block.

        Args:
            settings: environment on top of the stack's endpoints.
            name: of its state folder; the same name goes on with the same tables.
            ready: wait until it works.
        """
        worker = WorkerProcess(self.folder, self.folder / "state" / name, self.folder / "logs" / f"{name}.log", settings)
        worker.start()
        try:
            if ready:
                worker.wait_ready()
            yield worker
        finally:
            if worker.poll() is None:
                with suppress(StackError):
                    worker.stop()

    def query(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Ask PostgreSQL."""
        with psycopg.connect(self._endpoints["POSTGRES_DSN"], row_factory=dict_row) as connection:
            return connection.execute(sql, values).fetchall()

    def new_calls(self, **wanted: object) -> list[str]:
        """Make calls (the fields of `POST /control/calls`); returns their ids."""
        return [call["inum"] for call in self.simulator.ask("calls", wanted)["calls"]]

    def states(self, calls: Collection[str]) -> Counter[str]:
        """Return how many of the calls are in which status, and how many are `exported`."""
        rows = self.query(
            """SELECT status, count(*) AS calls, count(*) FILTER (WHERE EXISTS (
                   SELECT FROM scoring_result r WHERE r.call_id = c.call_id AND r.exported_at IS NOT NULL)) AS exported
               FROM call c WHERE call_id = ANY(%s) GROUP BY status""",
            list(calls),
        )
        found = Counter({row["status"]: row["calls"] for row in rows})
        found["exported"] = sum(row["exported"] for row in rows)
        return found

    def until_exported(self, calls: Collection[str]) -> None:
        """Wait until every call is final, and every one with a result is in ClickHouse.

        Raises:
            StackError: nothing has changed for minutes.
        """
        self._until(calls, settled)

    def until_downloaded(self, calls: Collection[str]) -> None:
        """Wait until every call's recording is in S3.

        Raises:
            StackError: nothing has changed for minutes.
        """
        self._until(calls, lambda states, count: states["DOWNLOADED"] >= count)

    def _until(self, calls: Collection[str], done: Callable[[Counter[str], int], bool]) -> None:
        last, changed, told = Counter[str](), time.monotonic(), time.monotonic()
        while not done(states := self.states(calls), len(calls)):
            if states != last:
                last, changed = states, time.monotonic()
            if time.monotonic() - changed > PATIENCE_SECONDS:
                raise StackError(f"nothing has changed for {PATIENCE_SECONDS:.0f} s: {dict(states)} of {len(calls)} calls")
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say(f"{len(calls)} calls: {' '.join(f'{name.lower()}={count}' for name, count in sorted(states.items()))}")
            time.sleep(1.0)

    def examine(self, calls: Collection[str]) -> Findings:
        """Hold every place against the others."""
        return asyncio.run(self._examine(calls))

    async def _examine(self, calls: Collection[str]) -> Findings:
        async with Audit(self.settings) as audit:
            return await audit.examine(calls)

    def _remove(self) -> None:
        # In order it would write all objects to disk, which nobody will read.
        with suppress(StackError, OSError):
            self._stack.kill("s3")
        self._stack.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            FOLDER.rmdir()


def settled(states: Counter[str], calls: int) -> bool:
    """Whether all calls are final and all results exported."""
    results = states["SCORED"] + states["NOT_SCORABLE"]
    return results + states["MISSING"] + states["ERROR"] >= calls and states["exported"] >= results
