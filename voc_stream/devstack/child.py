"""One server process: started so that it cannot outlive its supervisor, stopped with the signal it understands."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_TAIL_LINES = 15


@dataclass(frozen=True)
class Command:
    """How to start and stop a server.

    ``user`` is the account to run as (None: ours). ``orphan_signal`` reaches the process when its supervisor dies first.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    group: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 10.0


class Child:
    """A running process in a group of its own, so that Ctrl-C in the terminal reaches the supervisor alone."""

    def __init__(self, process: asyncio.subprocess.Process, command: Command, log: Path) -> None:
        self._process = process
        self._command = command
        self._log = log

    @classmethod
    async def start(cls, command: Command, log: Path) -> Child:
        """Start the command; both its outputs are appended to ``log``.

        Raises:
            OSError: the program cannot be started.
        """
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/" if command.user else None,
                env={**os.environ, **command.env},
                process_group=0,
                preexec_fn=die_with(command.orphan_signal, os.getpid()),
                user=command.user,
                group=command.group,
                extra_groups=[] if command.user else None,
            )
        return cls(process, command, log)

    @property
    def pid(self) -> int:
        """The process id (and that of its group)."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and kill its group when it does not within the grace."""
        if self.returncode is None:
            self.signal(self._command.stop_signal)
            self.signal(signal.SIGCONT)  # a paused process would not hear the other
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), self._command.grace_seconds)
        await self.kill()

    async def kill(self) -> None:
        """Kill the whole group, children that outlived it included."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.returncode
        if code is None:
            return "is running"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def tail(self) -> str:
        """Its last log lines."""
        with suppress(FileNotFoundError), self._log.open(errors="replace") as lines:
            return "".join(deque((f"    {line.rstrip()}\n" for line in lines), _TAIL_LINES)).rstrip()
        return ""


def die_with(number: signal.Signals, parent: int) -> Callable[[], None]:
    """Return what a child runs before its program, so that it gets this signal when its parent dies, however that dies."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange
