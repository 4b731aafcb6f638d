"""A loop that hangs is noticed from outside; one that works, or is closed, is not."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from voc_stream.runtime import watchdog
from voc_stream.runtime.watchdog import EXIT_CODE, Watchdog

PATIENCE = 60.0


class Ends:
    """Takes down with which code the process would have ended."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.happened = threading.Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.happened.set()


@pytest.fixture(autouse=True)
def no_watchdog_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "watchdog":
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def test_a_loop_that_does_not_answer_ends_the_process_and_the_log_has_its_stack(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, object]] = []
    monkeypatch.setattr(watchdog.logger, "error", lambda event, **fields: said.append({"event": event, **fields}))
    ends = Ends()
    Watchdog(loop, 1.0, ends).start()

    assert ends.happened.wait(PATIENCE)
    assert ends.codes == [EXIT_CODE]
    assert "test_a_loop_that_does_not_answer" in str(said[0]["stack"])


def test_a_log_that_cannot_be_written_does_not_keep_it(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()
    monkeypatch.setattr(watchdog, "LAST_WORDS_SECONDS", 0.1)
    monkeypatch.setattr(watchdog.logger, "error", lambda *_, **__: written.wait(PATIENCE))
    ends = Ends()
    Watchdog(loop, 0.5, ends).start()

    assert ends.happened.wait(PATIENCE)
    written.set()


def test_a_loop_that_answers_is_let_be_until_it_is_closed(loop: asyncio.AbstractEventLoop) -> None:
    ends = Ends()
    looks: list[float] = []

    async def work() -> None:
        while len(looks) < 20:
            looks.append(signal.getitimer(signal.ITIMER_PROF)[0])
            await asyncio.sleep(0.1)

    Watchdog(loop, 1.0, ends).start()
    loop.run_until_complete(work())
    loop.close()

    assert ends.codes == []
    assert any(looks), "the kernel's timer is set as well"


def test_a_watchdog_of_no_seconds_does_not_watch(loop: asyncio.AbstractEventLoop) -> None:
    Watchdog(loop, 0.0, Ends()).start()

    assert [thread.name for thread in threading.enumerate() if thread.name == "watchdog"] == []


def test_a_hang_that_lets_no_other_thread_run_is_ended_by_the_kernel_with_the_stack_on_standard_error() -> None:
    hang = """
import asyncio, re
from voc_stream.runtime.watchdog import Watchdog
async def main():
    Watchdog(asyncio.get_running_loop(), 0.5).start()
    await asyncio.sleep(1)
    re.match(r"(a+)+$", "a" * 60 + "b")
asyncio.run(main())
"""
    ended = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", hang], check=False, capture_output=True, timeout=PATIENCE, text=True
    )
    assert ended.returncode == -signal.SIGPROF
    assert "in main" in ended.stderr
