"""A worker that is told to stop before it listens, or whose stop hangs, ends with 0; a command as the system has it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_PROGRAM = """
import os, sys
from voc_stream.early_stop import stop_at_once_until_started
stop_at_once_until_started(["faust", "-A", "voc_stream", sys.argv[1]])
os.kill(os.getpid(), int(sys.argv[2]))
sys.exit(3)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_with_0(number: signal.Signals) -> None:
    assert _ends("worker", number) == 0


def test_a_command_that_did_not_finish_does_not_look_as_if_it_had() -> None:
    assert _ends("migrate", signal.SIGTERM) == -signal.SIGTERM


def test_a_stop_that_hangs_ends_with_0() -> None:
    program = "import threading; from voc_stream.worker import end_within; end_within(0.01); threading.Event().wait()"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0  # noqa: S603 - ourselves


def _ends(command: str, number: signal.Signals) -> int:
    argv = [sys.executable, "-c", _PROGRAM, command, str(int(number))]
    return subprocess.run(argv, check=False, timeout=60).returncode  # noqa: S603 - ourselves
