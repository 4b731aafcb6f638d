"""`voc.calls`, `voc.actions`, `voc.metrics` and `voc.overflow` to ClickHouse, each event once (spec section 3, docs/adr/0012)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from voc_stream import topics
from voc_stream.clients.forgotten_store import ForgottenStore
from voc_stream.events.voc import decode_voc
from voc_stream.kit import App, Kit
from voc_stream.runtime.window_lane import Read, Refusal, WindowRules
from voc_stream.services.event_privacy import EventPrivacy
from voc_stream.stages.validate import reading, refusing


def attach(app: App, kit: Kit) -> None:
    """Add the agent."""
    privacy = EventPrivacy(decode_voc, kit.redactor, kit.vault, ForgottenStore(kit.db))
    app.at_start.append(privacy.begin)
    runner = kit.windowed(_rules(kit, privacy), hooks=(kit.composite.heard,))

    @app.agent(kit.source(*kit.settings.kafka_topics, topics.VOC_OVERFLOW))
    async def voc(stream: Any) -> None:
        """Customer events."""
        await runner.run(stream.noack().events())


def _rules(kit: Kit, privacy: EventPrivacy) -> WindowRules:
    settings = kit.settings

    def known() -> Callable[[str], bool] | None:
        return kit.tenants.current().known.__contains__ if settings.tenants_strict else None

    def refuse(now: datetime) -> Refusal:
        return refusing(now, known())

    def read(now: datetime) -> Read:
        return reading(now, known())

    return WindowRules(
        incarnation=settings.kafka_incarnation,
        size=settings.batch_size,
        flush_seconds=settings.batch_flush_seconds,
        size_max=settings.batch_size_max,
        dedup_seconds=settings.dedup_window_seconds,
        token_seconds=settings.clickhouse_token_seconds,
        decode=decode_voc,
        refuse=refuse,
        read=read,
        annotator=kit.annotating,
        privacy=privacy,
        moved_tenants=frozenset(settings.voc_overflow_tenants),
    )
