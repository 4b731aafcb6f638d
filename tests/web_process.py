"""The process of the people's side, `python -m voc_stream.web`, by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voc_stream.devstack.ports import free_port
from voc_stream.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 90.0
# Tests share an address, and ask as often as they like.
_OFTEN = {"HTTP_PEER_RATE": "100000", "HTTP_WRONG_CREDENTIALS": "100000", "HTTP_TENANT_RATE": "100000", "HTTP_TENANT_QUOTA": "100000000"}


@dataclass(frozen=True, slots=True)
class WebProcess:
    """A running one.

    Attributes:
        url: without a slash at the end.
    """

    process: subprocess.Popen[bytes]
    port: int
    url: str
    log: Path

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def wait_open(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.last_lines()}"
            assert time.monotonic() < deadline, f"it does not answer: {self.last_lines()}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)


@contextmanager
def web_process(settings: Settings, folder: Path, **own: str) -> Iterator[WebProcess]:
    """Run one until the block ends.

    Args:
        settings: whose databases it serves; STACK_DIR of the environment has the servers.
        folder: for its log.
        own: settings on top.
    """
    port = free_port()
    log = folder / f"web-{port}.log"
    env = {
        "HTTP_PORT": str(port),
        "POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
        "CLICKHOUSE_DB": settings.clickhouse_db,
        "PII_KEYS": settings.pii_keys.get_secret_value(),
        "PII_KEY_ID": settings.pii_key_id,
        "LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "voc_stream.web"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, cwd=ROOT, env=os.environ | env | _OFTEN | own, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    made = WebProcess(process, port, f"http://127.0.0.1:{port}", log)
    try:
        made.wait_open()
        yield made
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
