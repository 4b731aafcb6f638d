"""A worker in a process of its own, for the demo, the tests and the benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from voc_stream.devstack.child import die_with
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder, read_endpoints
from voc_stream.devstack.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# What would point a worker elsewhere than the stack does.
_FOREIGN = (
    "KAFKA_",
    "POSTGRES_",
    "S3_",
    "CLICKHOUSE_",
    "AVAYA_",
    "SCORING_",
    "HTTP_",
    "OPERATOR_",
    "WEB_",
    "STATE_DIR",
    "APP_ENV",
    "TENANTS_FILE",
    "PII_",
)


# Dependencies that a stack may lack, and the settings that lead to them.
_LEADS_TO = {"scorer": "SCORING_URL", "recorder": "AVAYA_URL", "s3": "S3_ENDPOINT_URL"}


class WorkerProcess:
    """`faust -A voc_stream worker` against a stack.

    Args:
        stack_dir: the stack's folder, whose endpoints file the worker reads.
        state_dir: where it keeps its tables; kept over restarts.
        log: its output is appended here.
        settings: environment on top; WEB_ENABLED=true starts the people's side, too.
        code: the folder that holds the worker; by default this one's.
    """

    def __init__(self, stack_dir: Path, state_dir: Path, log: Path, settings: Mapping[str, str] | None = None, *, code: Path | None = None) -> None:
        self.port = free_port()
        self._code = code or ROOT
        self.log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        where = {"STACK_DIR": str(stack_dir), "STATE_DIR": str(state_dir), "OPERATOR_PORT": str(self.port), "WEB_ENABLED": "false"}
        self._env = {**kept, **where, **(settings or {})}
        known = {**read_endpoints(StackFolder(stack_dir).endpoints_file), **self._env}
        self._absent = tuple(f"{dependency}: " for dependency, setting in _LEADS_TO.items() if setting not in known)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running worker."""
        return self._running().pid

    def start(self) -> None:
        """Start it; `wait_ready` tells when it works."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", "voc_stream", "worker", "-l", "info"],
                cwd=self._code,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with(signal.SIGTERM, os.getpid()),  # noqa: PLW1509 - one system call, no lock taken
            )

    def ready(self) -> bool:
        """Whether `/readyz` says so; on a stack without some of the servers, whether it has nothing else against it."""
        return not self._against()

    def _against(self) -> list[str]:
        """Return what it has against it, but for servers that are not there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                return []
        except urllib.error.HTTPError as refusal:
            with refusal:
                reasons: list[str] = json.load(refusal)["reasons"]
            return [reason for reason in reasons if not reason.startswith(self._absent)]
        except (urllib.error.URLError, OSError) as error:
            return [f"its page does not answer: {error}"]

    def metrics(self) -> str:
        """Return the text of `/metrics`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text: bytes = answer.read()
        return text.decode()

    def wait_ready(self, timeout_seconds: float = 120.0) -> None:
        """Wait until it is ready.

        Raises:
            StackError: it ended, or is not ready in time; the message holds the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while against := self._against():
            code = self._running().poll()
            if code is not None:
                raise StackError(f"the worker ended with {code}:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise StackError(f"the worker is not ready after {timeout_seconds:.0f} s ({'; '.join(against)}):\n{self.last_lines()}")
            time.sleep(0.1)

    def stop(self, timeout_seconds: float = 60.0) -> int:
        """Stop it with SIGTERM; returns its exit code."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise StackError(f"the worker did not end within {timeout_seconds:.0f} s of SIGTERM:\n{self.last_lines()}") from None

    def kill(self) -> None:
        """End it with SIGKILL."""
        process = self._running()
        process.kill()
        process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._running().send_signal(number)

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._running().poll()

    def last_lines(self, count: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise StackError("the worker was not started")
        return self._process
