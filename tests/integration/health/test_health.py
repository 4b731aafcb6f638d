"""Worker processes that are ill, and some that only look so (docs/health.md)."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.integration.health.conftest import STUCK_SECONDS, WATCHDOG_SECONDS, Ward
from voc_stream.runtime.watchdog import EXIT_CODE

SURPLUS = ["no partitions are assigned"]


def well(status: int, _reasons: list[str]) -> bool:
    return status == 200


async def test_a_surplus_worker_and_one_that_wakes_up_are_alive_and_a_hung_one_is_ended_so_that_the_other_takes_over(ward: Ward) -> None:
    working = ward.admit()
    await working.says("readyz", well)
    surplus = ward.admit()
    await surplus.says("readyz", lambda _, reasons: reasons == SURPLUS)
    await working.says("readyz", well)
    until = time.monotonic() + 2 * STUCK_SECONDS
    while time.monotonic() < until:
        for patient in (working, surplus):
            assert await asyncio.to_thread(patient.ask, "healthz") == (200, {"status": "ok"})
        await asyncio.sleep(0.2)

    surplus.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2 * WATCHDOG_SECONDS)
    surplus.process.send_signal(signal.SIGCONT)
    await surplus.says("healthz", well)
    await surplus.says("readyz", lambda _, reasons: reasons == SURPLUS)

    await working.cause("hang")
    assert await working.ends() == EXIT_CODE
    assert "in hang" in working.log.read_text(), "the log has the stack"
    await surplus.says("readyz", well)
    assert await asyncio.to_thread(surplus.ask, "healthz") == (200, {"status": "ok"})


async def test_a_stage_that_stands_still_and_a_group_error_that_does_not_heal_are_told_and_the_latter_ends_the_worker(ward: Ward) -> None:
    patient = ward.admit()
    await patient.says("readyz", well)
    await ward.write(b"hang")
    (reason,) = await patient.says("healthz", lambda status, _: status == 503)
    assert reason.startswith("look: no progress for ")

    await patient.cause("group")
    await patient.says("healthz", lambda status, reasons: status == 503 and any(each.startswith("group: ") for each in reasons))
    assert await patient.ends() not in (0, EXIT_CODE)
    assert "GroupAuthorizationFailedError" in patient.log.read_text()
