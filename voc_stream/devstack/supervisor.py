"""Starts the parts, watches them, stops them: the process behind ``make stack``."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from voc_stream.devstack.child import Child
from voc_stream.devstack.errors import PartError, StackError
from voc_stream.devstack.parts.base import HOST, Part

_RETRY_SECONDS = 0.2
_CHECK_SECONDS = 15.0


class Supervisor:
    """The parts of one stack.

    A part that dies is reported with its last log lines and stays down until somebody starts it again: a restart by itself would
    hide the fault, and the other parts go on.
    """

    def __init__(self, parts: Iterable[Part], say: Callable[[str], None]) -> None:
        self._runs = {part.name: _Run(part, say) for part in parts}
        self._say = say

    async def start(self) -> None:
        """Start every part at once and wait until all are ready.

        Raises:
            StackError: one did not get ready; all are stopped by then.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for run in self._runs.values():
                    group.create_task(run.start())
        except* StackError as failures:
            await self.stop()
            raise StackError("\n".join(str(error) for error in failures.exceptions)) from None
        except* asyncio.CancelledError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop every part at once."""
        await asyncio.gather(*(run.stop() for run in self._runs.values()))

    def endpoints(self) -> dict[str, str]:
        """The settings of all parts."""
        return {name: value for run in self._runs.values() for name, value in run.part.endpoints().items()}

    def status(self) -> dict[str, str]:
        """Part → its state, in words."""
        return {name: run.state for name, run in self._runs.items()}

    async def control(self, operation: str, part: str) -> str:
        """Do ``start``, ``stop``, ``kill``, ``restart``, ``pause`` or ``resume`` to a part; the answer is its new state.

        Raises:
            StackError: no such part or operation, or it did not get ready.
        """
        run = self._runs.get(part)
        if run is None:
            msg = f"no part {part!r} in this stack: it has {', '.join(self._runs)}"
            raise StackError(msg)
        operations = {"start": run.start, "stop": run.stop, "kill": run.kill, "restart": run.restart, "pause": run.pause, "resume": run.resume}
        if operation not in operations:
            msg = f"no operation {operation!r}: there are {', '.join(operations)}"
            raise StackError(msg)
        async with run.lock:
            await operations[operation]()
        return run.state


class _Run:
    """One part's life."""

    def __init__(self, part: Part, say: Callable[[str], None]) -> None:
        self.part = part
        self.state = "stopped"
        self.lock = asyncio.Lock()
        self._say = say
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._child is not None:
            return
        self.state = "starting"
        try:
            command = await self.part.prepare()
            started = time.monotonic()
            self._child = await Child.start(command, self.part.site.folder.log(self.part.name))
            await self._ready(self._child)
        except OSError as error:
            await self.stop()
            raise PartError(self.part.name, str(error)) from error
        except BaseException:
            await self.stop()
            raise
        self.state = "running"
        self._watch = asyncio.create_task(self._report_death(self._child))
        self._say(f"{self.part.name:<11} ready on {HOST}:{self.part.port} in {time.monotonic() - started:.1f} s")

    async def stop(self) -> None:
        await self._end(kill=False)

    async def kill(self) -> None:
        await self._end(kill=True)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def pause(self) -> None:
        if self._child is not None:
            self._child.signal(signal.SIGSTOP)
            self.state = "paused"

    async def resume(self) -> None:
        if self._child is not None:
            self._child.signal(signal.SIGCONT)
            self.state = "running"

    async def _end(self, *, kill: bool) -> None:
        child, self._child = self._child, None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if child is not None:
            await (child.kill() if kill else child.stop())
        self.state = "killed" if kill else "stopped"

    async def _ready(self, child: Child) -> None:
        deadline = time.monotonic() + self.part.ready_seconds
        reason = "no answer"
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise PartError(self.part.name, f"it {child.ending()} before it was ready", child.tail())
            try:
                await asyncio.wait_for(self.part.check(child.pid), _CHECK_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever a server that is still starting makes its client raise
                reason = str(error) or type(error).__name__
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return
        raise PartError(self.part.name, f"not ready after {self.part.ready_seconds:.0f} s ({reason})", child.tail())

    async def _report_death(self, child: Child) -> None:
        with suppress(asyncio.CancelledError):
            await child.wait()
            self._child, self._watch = None, None
            self.state = f"dead: it {child.ending()}"
            self._say(f"{self.part.name:<11} DIED: it {child.ending()}; its last lines:\n{child.tail()}")
            self._say(f"{'':<11} start it again: python -m voc_stream.devstack start {self.part.name} --dir {self.part.site.folder.given}")
            await child.kill()  # what it left of its group
