"""A stack for programs: tests and the demo start one, ask where it is, hurt it, and stop it."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from voc_stream.devstack.control import ask
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder, read_endpoints

_LAST_LINES = 40


class Stack:
    """A stack that runs in a process of its own (``python -m voc_stream.devstack up``) and ends with its starter.

    Blocking; from a coroutine call it through ``asyncio.to_thread``. Also a context manager.

    Args:
        folder: its data, logs and endpoints file.
        parts: which parts; all by default.
        any_ports: take any free ports, so that it may run beside another stack.
        setup: make topics, schemas and the bucket (when all four servers are among the parts).
        recorder_args: options for the recorder simulator.
        env: environment of the recorder simulator and the scoring service.
        on_line: called, on a thread, with every line of progress or trouble.
    """

    def __init__(
        self,
        folder: Path,
        *,
        parts: Sequence[str] = (),
        any_ports: bool = False,
        setup: bool = True,
        recorder_args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self._files = StackFolder(folder)
        self._argv = [sys.executable, "-m", "voc_stream.devstack", "up", "--attached", "--dir", str(folder)]
        self._argv += ["--only", ",".join(parts)] if parts else []
        self._argv += ["--any-ports"] if any_ports else []
        self._argv += [] if setup else ["--no-setup"]
        self._argv += ["--recorder-args", shlex.join(recorder_args)] if recorder_args else []
        self._argv += [f"--env={name}={value}" for name, value in (env or {}).items()]
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self, timeout_seconds: float = 400.0) -> None:
        """Start it and wait until every part is ready (the first time fetches Kafka).

        Raises:
            StackError: it is running already, or did not get ready; the message holds its last lines.
        """
        self._lines.clear()
        self._ready.clear()
        process = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, process_group=0
        )
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process,), name="stack-output", daemon=True)
        self._reader.start()
        if not self._ready.wait(timeout_seconds):
            self.stop()
            self._lines.append(f"not ready after {timeout_seconds:.0f} s")
        if process.poll() is not None:
            raise StackError("\n".join(self._lines) or "the stack did not start")

    def stop(self, timeout_seconds: float = 60.0) -> None:
        """Stop every part; no process is left."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()  # its parts die with it
            process.wait()
        if self._reader is not None:
            self._reader.join(5)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int | None:
        """The supervisor's process id while it was started here."""
        return self._process.pid if self._process else None

    @property
    def endpoints(self) -> dict[str, str]:
        """The settings by which workers find the stack (empty when it is down)."""
        return read_endpoints(self._files.endpoints_file)

    @property
    def lines(self) -> list[str]:
        """The last lines it said."""
        return list(self._lines)

    def status(self) -> dict[str, str]:
        """Part → state; works for a stack that somebody else started, too.

        Raises:
            StackError: none is running in the folder.
        """
        return dict(ask(self._files.control_socket, "status")["parts"])

    def stop_part(self, part: str) -> None:
        """Stop a part in order; it keeps data and port."""
        ask(self._files.control_socket, "stop", part)

    def start_part(self, part: str) -> None:
        """Start a part that is down and wait until it is ready."""
        ask(self._files.control_socket, "start", part)

    def restart_part(self, part: str) -> None:
        """Stop a part and start it again."""
        ask(self._files.control_socket, "restart", part)

    def kill(self, part: str) -> None:
        """End a part with SIGKILL."""
        ask(self._files.control_socket, "kill", part)

    def pause(self, part: str) -> None:
        """Freeze a part: connections open, no answers."""
        ask(self._files.control_socket, "pause", part)

    def resume(self, part: str) -> None:
        """Let a paused part go on."""
        ask(self._files.control_socket, "resume", part)

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            text = line.rstrip("\n")
            self._lines.append(text)
            if self._on_line is not None:
                self._on_line(text)
            if text.startswith("stack ready"):
                self._ready.set()
        process.wait()
        self._ready.set()
