from __future__ import annotations

import asyncio
import threading

import pytest

from voc_stream.scoring.errors import BusyError
from voc_stream.scoring.jobs import AbandonedError, Check, Jobs


async def test_work_is_done_in_a_thread_and_its_answer_comes_back() -> None:
    jobs = Jobs(running=1, waiting=0)
    assert await jobs.run(lambda _check: threading.current_thread() is not threading.main_thread())
    jobs.stop()


def test_places_are_counted_and_given_back() -> None:
    jobs = Jobs(running=1, waiting=1)
    with jobs.admit(), jobs.admit(), pytest.raises(BusyError) as busy, jobs.admit():
        pass
    assert busy.value.retry_after >= 1
    assert jobs.taken == 0
    jobs.stop()


async def test_work_that_is_cancelled_has_ended_before_its_caller_goes_on() -> None:
    jobs = Jobs(running=1, waiting=0)
    began, ended = threading.Event(), threading.Event()

    def work(check: Check) -> None:
        began.set()
        try:
            while True:
                check()
        except AbandonedError:
            ended.set()
            raise

    task = asyncio.create_task(jobs.run(work))
    await asyncio.to_thread(began.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    jobs.stop()


def test_after_its_stop_nothing_is_admitted() -> None:
    jobs = Jobs(running=1, waiting=5)
    jobs.stop()
    with pytest.raises(BusyError), jobs.admit():
        pass
