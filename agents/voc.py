"""`voc.calls`, `voc.actions`, `voc.metrics` and `voc.overflow` to ClickHouse, each event once (spec section 3, docs/adr/0012)."""

from __future__ import annotations

from typing import Any

from voc_stream import topics
from voc_stream.clients.forgotten_store import ForgottenStore
from voc_stream.events.voc import decode_voc
from voc_stream.kit import App, Kit
from voc_stream.services.event_privacy import EventPrivacy
from voc_stream.services.event_rules import event_rules


def attach(app: App, kit: Kit) -> None:
    """Add the agent."""
    privacy = EventPrivacy(decode_voc, kit.redactor, kit.vault, ForgottenStore(kit.db))
    app.at_start.append(privacy.begin)
    rules = event_rules(kit.settings, kit.tenants, kit.annotating, privacy)
    runner = kit.windowed(rules, hooks=(kit.composite.heard,))

    @app.agent(kit.source(*kit.settings.kafka_topics, topics.VOC_OVERFLOW))
    async def voc(stream: Any) -> None:
        """Customer events."""
        await runner.run(stream.noack().events())
