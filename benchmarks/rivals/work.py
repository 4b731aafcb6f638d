"""The work that every rival does with an event, as a team would write it today: pydantic, the keyword rule, a row for ClickHouse (spec section 3)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

_GOOD = ("good", "great", "thank", "satisfied")
_BAD = ("bad", "angry", "hate", "not happy", "frustrat")


class BaseEvent(BaseModel):
    """What all events have; what is not declared stays in the payload, as the pipeline asks."""

    model_config = ConfigDict(extra="allow")

    event_id: UUID
    tenant_id: str
    timestamp: AwareDatetime
    metadata: dict[str, Any] | None = None


class Call(BaseEvent):
    event_type: Literal["call"]
    call_id: str
    agent_id: str = ""
    customer_id: str | None = None
    direction: str | None = None
    duration: float | None = None
    transcript: str = ""
    language: str = ""


class AgentAction(BaseEvent):
    event_type: Literal["agent_action"]
    agent_id: str
    action: str
    target: str | None = None
    outcome: str | None = None
    latency: float | None = None


class ToolInvocation(BaseEvent):
    event_type: Literal["tool_invocation"]
    tool: str
    arguments: Any = None
    status: str | None = None
    duration: float | None = None
    error: str | None = None


class QosMetric(BaseEvent):
    event_type: Literal["qos_metric"]
    metric: str
    value: float
    unit: str | None = None
    call_id: str | None = None


EVENT: TypeAdapter[Call | AgentAction | ToolInvocation | QosMetric] = TypeAdapter(
    Annotated[Call | AgentAction | ToolInvocation | QosMetric, Field(discriminator="event_type")]
)


@dataclass(frozen=True, slots=True)
class Job:
    """Where a rival reads and writes: from the environment, set by the harness."""

    bootstrap: str
    topic: str
    group: str
    sink: str

    @property
    def insert_url(self) -> str:
        """Where a body of JSONEachRow lines is posted to."""
        arguments = {"query": "INSERT INTO voc_events FORMAT JSONEachRow", "date_time_input_format": "best_effort", "async_insert": "0"}
        return f"{self.sink}/?{urlencode(arguments)}"


def job() -> Job:
    """Return what the harness wants."""
    return Job(*(os.environ[f"BENCH_{name}"] for name in ("BOOTSTRAP", "TOPIC", "GROUP", "SINK")))


def score(text: str) -> float:
    """Return the keyword rule's verdict, -1 to 1."""
    lowered = text.lower()
    found = sum(word in lowered for word in _GOOD) - sum(word in lowered for word in _BAD)
    return float(max(-1, min(1, found)))


def row(value: bytes) -> bytes:
    """Validate a record's value and return its row, one line of JSON.

    Raises:
        pydantic.ValidationError: it is no event.
    """
    # validate_json takes half the time of json.loads and validate_python.
    event = EVENT.validate_json(value)
    text = event.transcript if isinstance(event, Call) else ""
    return json.dumps(
        {
            "event_id": str(event.event_id),
            "tenant_id": event.tenant_id,
            "event_type": event.event_type,
            "ts": event.timestamp.isoformat(),
            # A third of the time of model_dump(mode="json") and json.dumps.
            "payload": event.model_dump_json(),
            "sentiment": score(text) if text else None,
            "topic": None,
            "processed_at": datetime.now(UTC).isoformat(),
        }
    ).encode()


def body(values: list[bytes]) -> bytes:
    """Return the rows of one insert."""
    return b"\n".join([row(value) for value in values]) + b"\n"
