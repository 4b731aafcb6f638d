"""Servers that one module of tests wants otherwise than the stack has them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from voc_stream.devstack.child import die_with
from voc_stream.devstack.ports import free_port

READY_SECONDS = 60.0


@contextmanager
def recorder_process(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """Run a recorder simulator without calls; lends the settings by which a worker finds it."""
    account = {"AVAYA_USERNAME": "recorder", "AVAYA_PASSWORD": secrets.token_urlsafe(16)}
    port = free_port()
    argv = [sys.executable, "-m", "voc_stream.devstack.recorder", "--port", str(port), "--calls", "0", "--data", str(folder), *options]
    with _running(argv, account, f"http://127.0.0.1:{port}/healthz", folder / "log"):
        yield account | {"AVAYA_URL": f"http://127.0.0.1:{port}/searchapi"}


@contextmanager
def scoring_process(folder: Path, settings: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run a scoring service; lends the settings by which a worker finds it."""
    token = secrets.token_urlsafe(16)
    port = free_port()
    own = {"SCORER_PORT": str(port), "SCORER_TOKEN": token, "STACK_DIR": str(folder)}
    with _running([sys.executable, "-m", "voc_stream.scoring"], own | dict(settings), f"http://127.0.0.1:{port}/readyz", folder / "log"):
        yield {"SCORING_URL": f"http://127.0.0.1:{port}", "SCORING_TOKEN": token}


@contextmanager
def _running(argv: list[str], env: Mapping[str, str], page: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with(signal.SIGTERM, os.getpid()),  # noqa: PLW1509 - one system call, no lock taken
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(page):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


def _answers(page: str) -> bool:
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:  # noqa: S310 - a server of ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
