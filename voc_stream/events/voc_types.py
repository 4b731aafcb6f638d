"""Voice-of-customer events (spec section 3): the values of `voc.calls`, `voc.actions` and `voc.metrics`, ours and outsiders'.

What an event says beyond these fields is not decoded and not lost: the row's payload is the record's value as it came.
An optional field may be absent or null. docs/voc-events.md tells the bounds and what is refused.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, TypeAlias

import msgspec

from voc_stream.events.base import Aware
from voc_stream.events.calls import Seconds, Turn
from voc_stream.events.event_ids import EventId

# Patterns are checked by `decode_voc`, once a tenant and only where a control character is possible; msgspec would search with each event
# (1.7 of 3.2 µs).
VocTenantId = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, extra_json_schema={"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}),
]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, extra_json_schema={"pattern": "^[^\\u0000-\\u001f]*$"})]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Word = Annotated[str, msgspec.Meta(max_length=64)]
Language = Annotated[str, msgspec.Meta(max_length=16)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=99_999_999_000)]

Structure: TypeAlias = dict[str, Any] | list[Any] | str


# gc=False: decoded JSON has no cycles, and the collector need not look at every event of a window.
class BaseEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="event_type"):
    """What every event carries. `tenant_id` is what its producer declares; `event_ts` and `ingest_uuid` are set by this application only."""

    event_id: EventId
    tenant_id: VocTenantId
    timestamp: Aware
    metadata: dict[str, Any] | None = None
    agent_id: Id | None = None
    call_id: Id | None = None
    customer_id: Id | None = None
    channel: Word | None = None
    event_ts: Aware | None = None
    ingest_uuid: uuid.UUID | None = None


class CallEvent(BaseEvent, frozen=True, kw_only=True, gc=False, tag="call"):
    """A conversation. Our own have `event_id` uuid5 of tenant and call_id: a re-score does not count the call twice.

    `duration` is in seconds; `transcript` is the whole text, `turns` who said what of it.
    """

    call_id: Id
    direction: Word | None = None
    started_at: Aware | None = None
    ended_at: Aware | None = None
    duration: Seconds | None = None
    queue: Name | None = None
    outcome: Word | None = None
    language: Language | None = None
    transcript: str | None = None
    turns: tuple[Turn, ...] | None = None


class AgentAction(BaseEvent, frozen=True, kw_only=True, gc=False, tag="agent_action"):
    """Something an agent did. `latency` is in seconds, `latency_ms` the same in milliseconds; producers send either."""

    agent_id: Id
    action: Name
    target: Name | None = None
    outcome: Word | None = None
    latency: Seconds | None = None
    latency_ms: Milliseconds | None = None


class ToolInvocation(BaseEvent, frozen=True, kw_only=True, gc=False, tag="tool_invocation"):
    """A tool that an agent, human or not, called. `duration` is in seconds, `duration_ms` the same in milliseconds; producers send either."""

    tool: Name
    arguments: Structure | None = None
    status: Word | None = None
    started_at: Aware | None = None
    duration: Seconds | None = None
    duration_ms: Milliseconds | None = None
    result: Any = None
    error: Structure | None = None


class QosMetric(BaseEvent, frozen=True, kw_only=True, gc=False, tag="qos_metric"):
    """A measurement of quality of service, such as jitter in ms."""

    metric: Name
    value: float
    unit: Word | None = None


VocEvent: TypeAlias = CallEvent | AgentAction | ToolInvocation | QosMetric
