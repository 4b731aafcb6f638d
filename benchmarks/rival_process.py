"""A rival's worker in a process of its own, with the rivals' Python (`.venv-rivals`)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from voc_stream.devstack.child import die_with
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.worker_process import ROOT

PYTHON = ROOT / ".venv-rivals" / "bin" / "python"
_GRACE_SECONDS = 5.0


class RivalProcess:
    """A module of `benchmarks.rivals` that runs."""

    def __init__(self, module: str, env: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [PYTHON, "-m", f"benchmarks.rivals.{module}"],
                cwd=ROOT,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with(signal.SIGTERM, os.getpid()),  # noqa: PLW1509 - one system call, no lock taken
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def must_run(self) -> None:
        """Raise when it has ended.

        Raises:
            StackError: with the end of its log.
        """
        code = self._process.poll()
        if code is not None:
            lines = self._log.read_text(errors="replace").splitlines()[-15:]
            raise StackError(f"{self._log.stem} ended with {code}:\n" + "\n".join(lines))

    def end(self) -> None:
        """End it; it may take its time to say goodbye, but not long."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def rival_process(module: str, env: Mapping[str, str], log: Path) -> Iterator[RivalProcess]:
    """Lend a rival; it ends with the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    process = RivalProcess(module, env, log)
    try:
        yield process
    finally:
        process.end()
