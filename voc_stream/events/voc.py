"""Bytes of `voc.*` topics as events, or one plain reason why they are none (spec section 3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from voc_stream.events.base import MalformedError, reason
from voc_stream.events.event_ids import packed
from voc_stream.events.heard import heard_text
from voc_stream.events.voc_types import AgentAction, BaseEvent, CallEvent, QosMetric, ToolInvocation, VocEvent

__all__ = ["AgentAction", "BaseEvent", "CallEvent", "QosMetric", "ToolInvocation", "VocEvent", "decode_all", "decode_voc", "heard_text"]

# The broker's limit is of compressed batches: a value far beyond it can arrive. What is accepted fits into every topic, however it is compressed.
MOST_BYTES = 1 << 20
# Tenants whose ids were checked; forgotten all at once, so that made-up tenants cannot fill the memory.
MOST_TENANTS = 10_000

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CONTROL = re.compile(r"[\x00-\x1f]")
_decode = msgspec.json.Decoder(VocEvent).decode
_tenant = attrgetter("tenant_id")
_event_id = attrgetter("event_id")
_good_tenants: set[str] = set()


def decode_voc(value: bytes | None) -> VocEvent:
    """Decode one value.

    Raises:
        MalformedError: no bytes, too many, not UTF-8 (anywhere), not JSON, too deep, an unknown type, or not of that type's shape.
    """
    if not value:
        raise MalformedError("the record has no value")
    if len(value) > MOST_BYTES:
        raise MalformedError(f"the value is longer than {MOST_BYTES} bytes")
    try:
        if not value.isascii():
            # msgspec looks into the strings it keeps only; the payload is stored whole.
            value.decode()
        event: VocEvent = _decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise MalformedError(reason(error)) from None
    _check_uuid(event.event_id)
    if event.tenant_id not in _good_tenants:
        _check_tenant(event.tenant_id)
    # In JSON, a control character within a string is always escaped.
    if b"\\" in value:
        _check_ids(event)
    return event


def decode_all(values: Sequence[bytes | None]) -> list[VocEvent] | None:
    """Decode values that are all well-formed, which costs less than one by one; None where one may not be: `decode_voc` tells which, and why."""
    there = [value for value in values if value]
    if len(there) < len(values) or (there and max(map(len, there)) > MOST_BYTES):
        return None
    # Apart from each other, so that what one begins no other completes.
    whole = b"\n".join(there)
    try:
        if not whole.isascii():
            whole.decode()
        events: list[VocEvent] = [_decode(value) for value in there]
        packed(list(map(_event_id, events)))
        for tenant_id in set(map(_tenant, events)) - _good_tenants:
            _check_tenant(tenant_id)
        if b"\\" in whole:
            for value, event in zip(there, events, strict=True):
                if b"\\" in value:
                    _check_ids(event)
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError, MalformedError):
        return None
    return events


def _check_uuid(event_id: str) -> None:
    try:
        packed((event_id,))
    except ValueError:
        raise MalformedError("Invalid UUID at `$.event_id`") from None


def _check_tenant(tenant_id: str) -> None:
    if not _TENANT.fullmatch(tenant_id):
        raise MalformedError("`tenant_id` may hold letters, digits and ._- only, and begins with a letter or digit")
    if len(_good_tenants) >= MOST_TENANTS:
        _good_tenants.clear()
    _good_tenants.add(tenant_id)


def _check_ids(event: BaseEvent) -> None:
    if _CONTROL.search(f"{event.agent_id}{event.call_id}{event.customer_id}"):
        name = next(name for name in ("agent_id", "call_id", "customer_id") if _CONTROL.search(getattr(event, name) or ""))
        raise MalformedError(f"`{name}` holds a control character")
