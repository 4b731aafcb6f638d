"""Voice-of-customer events (spec section 3): what the calls pipeline contributes to `voc.calls`."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import msgspec

from voc_stream.events.base import AgentId, Aware, CallId, TenantId, Wire
from voc_stream.events.calls import Seconds, Turn


class CallEvent(Wire, frozen=True, kw_only=True, tag_field="event_type", tag="call"):
    """A call as a customer event. `event_id` is uuid5 of tenant and call_id: a re-score does not count the call twice."""

    event_id: uuid.UUID
    tenant_id: TenantId
    timestamp: Aware
    metadata: dict[str, Any] | None = None
    call_id: CallId
    agent_id: AgentId = ""
    customer_id: str | None = None
    direction: str | None = None
    duration: Seconds
    transcript: str = ""
    language: Annotated[str, msgspec.Meta(max_length=16)] = ""
    turns: tuple[Turn, ...] = ()
