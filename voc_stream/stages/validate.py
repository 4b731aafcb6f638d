"""Events that are well-formed and still cannot be (spec section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from voc_stream.events.base import EARLIEST
from voc_stream.events.voc import BaseEvent, VocEvent, decode_all
from voc_stream.stages.outcome import DeadLetter

# Clocks differ, and so do opinions about zones; more than this is a mistake.
MOST_AHEAD = timedelta(days=1)


def refusing(now: datetime, known_tenant: Callable[[str], bool] | None) -> Callable[[BaseEvent], DeadLetter | None]:
    """Return what tells, at this time, why an event cannot be stored, or None.

    Args:
        now: the time, aware.
        known_tenant: whether a tenant is known; None where every tenant may come (TENANTS_STRICT is off).
    """
    latest = now + MOST_AHEAD

    def refusal(event: BaseEvent) -> DeadLetter | None:
        if not EARLIEST <= event.timestamp <= latest:
            early = event.timestamp < EARLIEST
            return DeadLetter("bad_time", f"`timestamp` lies before {EARLIEST.year}" if early else "`timestamp` lies more than a day ahead")
        if known_tenant is not None and not known_tenant(event.tenant_id):
            return DeadLetter("unknown_tenant", "the tenant is not a known one, and TENANTS_STRICT is set")
        return None

    return refusal


def reading(now: datetime, known_tenant: Callable[[str], bool] | None) -> Callable[[Sequence[bytes | None]], list[VocEvent] | None]:
    """Return what reads values of which each is an event that can be stored, or returns None: then each must be looked at by itself.

    Nearly all windows pass so, at half the price. Args as of `refusing`.
    """
    latest = now + MOST_AHEAD

    def read(values: Sequence[bytes | None]) -> list[VocEvent] | None:
        events = decode_all(values)
        if not events:
            return events
        times = [event.timestamp for event in events]
        if min(times) < EARLIEST or max(times) > latest:
            return None
        if known_tenant is not None and not all(map(known_tenant, {event.tenant_id for event in events})):
            return None
        return events

    return read
