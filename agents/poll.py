"""The recorder, asked by the leader: `calls.polled` (spec section 2.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voc_stream import topics
from voc_stream.errors import OutsideError
from voc_stream.kit import App, Kit
from voc_stream.services.poller import Poller
from voc_stream.services.redrive import Redriver

REDRIVE_SECONDS = 5.0


def attach(app: App, kit: Kit) -> None:
    """Add the leader's three loops: the sliding window, the sweep, and what was put aside."""
    poller = Poller(
        recorder=kit.recorder, checkpoints=kit.calls, publisher=kit.publisher, vault=kit.vault, tenants=kit.tenants, settings=kit.settings,
        topic=topics.CALLS_POLLED,
    )  # fmt: skip
    redriver = Redriver(store=kit.calls, publisher=kit.publisher, tenants=kit.tenants, topic=topics.CALLS_ENRICHED)

    async def leading(seconds: float, turn: Callable[[], Awaitable[int]], *needs: str) -> None:
        while not app.should_stop:
            if app.is_leader() and all(kit.around.gates[name].is_open for name in needs):
                try:
                    await turn()
                except OutsideError as error:
                    kit.around.gates[error.dependency].close(error)
            await asyncio.sleep(seconds if app.is_leader() else 1.0)

    app.task(lambda: leading(kit.settings.avaya_poll_seconds, poller.poll, "recorder", "postgres", "kafka"))
    app.task(lambda: leading(kit.settings.avaya_sweep_seconds, poller.sweep, "recorder", "postgres", "kafka"))
    app.task(lambda: leading(REDRIVE_SECONDS, redriver.turn, "postgres", "kafka"))
