"""Waiting of one task for a dependency that other tasks need, too."""

from __future__ import annotations

import asyncio

from tests.unit.runtime.world import Dependency, Pauses
from voc_stream.errors import OutageError
from voc_stream.runtime.gate import Gate
from voc_stream.runtime.patience import Patience

LOST = OutageError("postgres", "connection lost")


async def test_a_single_failure_is_tried_again_soon_and_pauses_nobody() -> None:
    gate = Gate("postgres", Dependency().probe)
    pauses = Pauses(at_once=True)
    await Patience({"postgres": gate}, pauses).outlast(LOST)

    assert pauses.asked == [0.1]
    assert gate.is_open


async def test_where_others_have_found_an_outage_a_first_failure_waits_for_its_end() -> None:
    probing, pauses = Pauses(), Pauses(at_once=True)
    gate = Gate("postgres", Dependency().probe, sleep=probing)
    gate.close(LOST)
    waiting = asyncio.create_task(Patience({"postgres": gate}, pauses).outlast(LOST))
    async with asyncio.timeout(5):
        await probing.entered.wait()
    assert not waiting.done()
    probing.end()
    async with asyncio.timeout(5):
        await waiting

    assert pauses.asked == [], "it was not tried meanwhile"
