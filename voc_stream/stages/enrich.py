"""From what the recorder said to what we know: UTC times, agent, tenant (spec section 2.3)."""

from __future__ import annotations

import re
from datetime import UTC

from voc_stream.events.calls import EnrichedCall, RawCall
from voc_stream.stages.changes import At, Enriched
from voc_stream.stages.outcome import DeadLetter, Facts, Ok, Outcome, Publication
from voc_stream.stages.tenants import TenantMap

# `4603 (agent1234.247)`: the agent's id, then a login name; several agents are separated, the first took the call.
_AGENT = re.compile(r"^\s*([A-Za-z0-9._-]{1,16})\s*(?:\(|[;,]|$)")


def agent_id(raw_agent: str) -> str:
    """Return the agent's id, or "" where there is none to be read."""
    found = _AGENT.match(raw_agent)
    return found.group(1) if found else ""


def enrich(raw: RawCall, facts: Facts, tenants: TenantMap, topic: str) -> Outcome:
    """Return the call as `PENDING_DOWNLOAD`, to be published to `topic`; a call that ends before it starts is a dead letter."""
    if raw.ended_at < raw.started_at:
        return DeadLetter("bad_times", "the call ends before it starts")
    call = EnrichedCall(
        event_ts=raw.event_ts.astimezone(UTC),
        ingest_uuid=raw.ingest_uuid,
        call_id=raw.call_id,
        tenant_id=tenants.tenant_of(raw.service, raw.skill),
        started_at=raw.started_at.astimezone(UTC),
        ended_at=raw.ended_at.astimezone(UTC),
        agent_id=agent_id(raw.raw_agent),
        skill=raw.skill[:64],
        service=raw.service[:64],
        switch_call_id=raw.switch_call_id,
    )
    at = At(facts.now, facts.topic, facts.partition, facts.offset, facts.attempt, facts.trace_id)
    change = Enriched(call=call, customer=raw.other_parties, sealed_udfs=raw.sealed_udfs, at=at)
    return Ok(change=change, out=(Publication(topic, call.call_id, call),))
