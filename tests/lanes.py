"""`make test`: all tests, in two lanes side by side. Those on the stack mostly wait, for servers that start and time-outs that pass.

What a suite prints is shown when it ends; until then a line now and then tells how far each has come. A few tests that failed are run once more when
the machine is theirs alone, and are named: one that passes then lacks patience rather than its subject its quality, and wants mending all the same.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

PROGRESS_SECONDS = 60.0
# With more failures than this something is broken, and no second try is worth its time.
MOST_AGAIN = 5
# A letter a test.
_LETTERS = re.compile(rb"^[.FEsxX]+", re.MULTILINE)
_ON_STACK = ("--integration", "-m", "integration")


@dataclass(frozen=True, slots=True)
class Suite:
    """Some tests: pytest's options, and where they lie (everywhere by default)."""

    name: str
    options: Sequence[str] = ()
    paths: Sequence[str] = ()


# What takes about as long as the rest of those on the stack, less those without servers.
CALLS_AND_PAGES = ("tests/integration/pipeline", "tests/integration/web", "tests/browser")
LANES = (
    (Suite("calls and pages", _ON_STACK, CALLS_AND_PAGES), Suite("without servers")),
    (Suite("on the stack", (*_ON_STACK, *(f"--ignore={path}" for path in CALLS_AND_PAGES))),),
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
                    command = [*self._command(suite), *suite.paths]
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

    def again(self, suite: Suite) -> None:
        """Run the few that failed once more, alone."""
        failed = self._failed(suite)
        if self.codes[suite.name] != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed) <= MOST_AGAIN:
            return
        print(f"--- {suite.name}, once more and alone:", *failed, sep="\n    ", flush=True)  # noqa: T201
        self.codes[suite.name] = subprocess.run([*self._command(suite), *failed], check=False).returncode  # noqa: S603 - our own words
        if self.codes[suite.name] == 0:
            print(f"--- {suite.name}: {len(failed)} failed beside others and passed alone", flush=True)  # noqa: T201

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
            found = {name: sum(map(len, _LETTERS.findall(self._log(name).read_bytes()))) for name in self._running}
        return ", ".join(f"{name} {tests} tests" for name, tests in found.items())

    def _command(self, suite: Suite) -> list[str]:
        return [sys.executable, "-m", "pytest", "-q", "--durations=10", "-o", f"cache_dir={self._cache(suite)}", *suite.options]

    def _failed(self, suite: Suite) -> list[str]:
        """Return the names of those that failed, as pytest keeps them."""
        names = self._cache(suite) / "v" / "cache" / "lastfailed"
        return sorted(json.loads(names.read_text())) if names.exists() else []

    def _cache(self, suite: Suite) -> Path:
        return self._folder / "cache" / suite.name.replace(" ", "-")

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
        for suite in chain.from_iterable(LANES):
            runs.again(suite)
    return max(runs.codes.values(), default=1) if len(runs.codes) == sum(map(len, LANES)) else 1


if __name__ == "__main__":
    sys.exit(main())
