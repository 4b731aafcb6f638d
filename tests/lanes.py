"""`make test`: all tests, in two lanes side by side. Those on the stack mostly wait, for servers that start and time-outs that pass.

What a suite prints is shown when it ends; until then a line now and then tells how far each has come.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRESS_SECONDS = 60.0
_PERCENT = re.compile(rb"\[ *(\d+)%\]")
_ON_STACK = ("--integration", "-m", "integration")


@dataclass(frozen=True, slots=True)
class Suite:
    """Some tests: pytest's arguments."""

    name: str
    arguments: Sequence[str]


LANES = (
    (Suite("the calls pipeline", (*_ON_STACK, "tests/integration/pipeline")), Suite("without servers", ("-p", "no:cacheprovider"))),
    (Suite("on the stack", (*_ON_STACK, "--ignore=tests/integration/pipeline")),),
)


class Runs:
    """The suites that run, and what became of those that ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self.codes: dict[str, int] = {}

    def lane(self, suites: Sequence[Suite]) -> None:
        """Run suites one after another."""
        for suite in suites:
            with self._lock:
                if self._stopping:
                    return
                with self._log(suite.name).open("wb") as log:
                    command = [sys.executable, "-m", "pytest", "-q", *suite.arguments]
                    # Of a session of its own: Ctrl-C reaches it once, from here.
                    process = self._running[suite.name] = subprocess.Popen(  # noqa: S603 - our own words
                        command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                    )
            code = process.wait()
            with self._lock:
                del self._running[suite.name]
                self.codes[suite.name] = code
                sys.stdout.write(f"--- {suite.name}:\n{self._log(suite.name).read_text(errors='replace')}")
                sys.stdout.flush()

    def stop(self) -> None:
        """Interrupt what runs, as Ctrl-C would, and wait until it has tidied up."""
        with self._lock:
            self._stopping = True
            running = list(self._running.values())
        for process in running:
            process.send_signal(signal.SIGINT)

    def progress(self) -> str:
        """Return how far each running suite has come."""
        with self._lock:
            found = {name: _PERCENT.findall(self._log(name).read_bytes()) for name in self._running}
        return ", ".join(f"{name} {int(percents[-1]) if percents else 0} %" for name, percents in found.items())

    def _log(self, name: str) -> Path:
        return self._folder / name.replace(" ", "-")


def main() -> int:
    """Run all lanes; returns 0 only if every suite passed."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder))
        threads = [threading.Thread(target=runs.lane, args=(suites,)) for suites in LANES]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(PROGRESS_SECONDS)
                    if state := runs.progress():
                        print(f"{time.monotonic() - began:.0f} s: {state}", flush=True)  # noqa: T201 - it is what this prints for
        except KeyboardInterrupt:
            runs.stop()
            for thread in threads:
                thread.join()
            return 130
    return max(runs.codes.values(), default=1) if len(runs.codes) == sum(map(len, LANES)) else 1


if __name__ == "__main__":
    sys.exit(main())
