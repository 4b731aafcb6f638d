"""The recorder, asked by the leader: `calls.polled` (spec section 2.1)."""

from __future__ import annotations

from functools import partial

from voc_stream import topics
from voc_stream.kit import App, Kit
from voc_stream.runtime.leading import leading
from voc_stream.services.poller import Poller
from voc_stream.services.redrive import Redriver


def attach(app: App, kit: Kit) -> None:
    """Add the leader's three loops: the sliding window, the sweep, and what was put aside."""
    poller = Poller(
        recorder=kit.recorder, checkpoints=kit.calls, publisher=kit.publisher, vault=kit.vault, tenants=kit.tenants, settings=kit.settings,
        topic=topics.CALLS_POLLED, tracing=kit.tracing,
    )  # fmt: skip
    redriver = Redriver(store=kit.calls, publisher=kit.publisher, tenants=kit.tenants, topic=topics.CALLS_ENRICHED)

    lead = partial(leading, app, kit.around.gates)

    app.task(lambda: lead(poller.poll_pause, poller.poll, "recorder", "postgres", "kafka"))
    app.task(lambda: lead(poller.sweep_pause, poller.sweep, "recorder", "postgres", "kafka"))
    app.task(lambda: lead(kit.settings.redrive_poll_seconds, redriver.turn, "postgres", "kafka"))
