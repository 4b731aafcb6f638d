"""Worker processes that are ill, and some that only look so (docs/health.md)."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from tests.integration.health.conftest import STUCK_SECONDS, WATCHDOG_SECONDS, Patient, Ward
from voc_stream.runtime.watchdog import EXIT_CODE

SURPLUS = ["no partitions are assigned"]


@pytest.mark.chaos
async def test_idle_surplus_and_woken_workers_are_alive_and_group_errors_stuck_stages_and_hung_loops_are_told_and_ended(ward: Ward) -> None:
    working = ward.admit()
    await working.says("readyz", well)
    surplus = ward.admit()
    await surplus.says("readyz", lambda _, reasons: reasons == SURPLUS)
    await working.says("readyz", well)
    await stay_alive(working, surplus)
    await sleep_and_wake_up(surplus)

    await surplus.cause("group")
    await surplus.says("healthz", lambda status, reasons: status == 503 and reasons[0].startswith("group: GroupAuthorizationFailedError for "))
    assert await surplus.ends() not in (0, EXIT_CODE)

    await working.says("readyz", well)
    await ward.write(b"hang")
    (reason,) = await working.says("healthz", lambda status, _: status == 503)
    assert reason.startswith("look: no progress for ")

    await working.cause("hang")
    assert await working.ends() == EXIT_CODE
    assert "in hang" in working.log.read_text(), "the log has the stack"


async def stay_alive(*patients: Patient) -> None:
    """Look for longer than a stage may stand still."""
    until = time.monotonic() + 1.5 * STUCK_SECONDS
    while time.monotonic() < until:
        for patient in patients:
            said = await asyncio.to_thread(patient.ask, "healthz")
            assert said == (200, {"status": "ok"}), patient.last_lines()
        await asyncio.sleep(0.2)


async def sleep_and_wake_up(patient: Patient) -> None:
    """Suspend a worker for longer than a hung one would live."""
    patient.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1.5 * WATCHDOG_SECONDS)
    patient.process.send_signal(signal.SIGCONT)
    await patient.says("healthz", well)
    await patient.says("readyz", lambda _, reasons: reasons == SURPLUS)


def well(status: int, _reasons: list[str]) -> bool:
    return status == 200
