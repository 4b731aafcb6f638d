"""The rules by which customer events' windows are worked on, from settings (spec section 3, docs/adr/0012)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from voc_stream.events.voc import decode_voc
from voc_stream.runtime.window_lane import Read, Refusal, WindowRules
from voc_stream.services.annotating import Annotating
from voc_stream.services.event_privacy import EventPrivacy
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.stages.validate import reading, refusing


def event_rules(settings: Settings, tenants: TenantsFile, annotating: Annotating, privacy: EventPrivacy) -> WindowRules:
    """Return the rules; who is a known tenant is asked anew for each window."""

    def known() -> Callable[[str], bool] | None:
        return tenants.current().known.__contains__ if settings.tenants_strict else None

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
        annotator=annotating,
        privacy=privacy,
        moved_tenants=frozenset(settings.voc_overflow_tenants),
    )
