"""Made-up customer events of all four types, as bytes ready for Kafka; pure: the same seed gives the same events."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from voc_stream import topics
from voc_stream.generator.bank import conversation
from voc_stream.generator.tenants import Tenant, make_tenants

# Of a hundred events; the rest are metrics.
_CALLS, _ACTIONS, _TOOLS = 0.40, 0.65, 0.80
# Seconds that a sentence takes.
_SENTENCE = 4.5

_WORK = (
    ("note_added", "case", "done"),
    ("refund_issued", "order", "done"),
    ("transferred", "second level", "accepted"),
    ("call_held", "call", "resumed"),
    ("address_changed", "customer", "done"),
    ("callback_planned", "calendar", "done"),
    ("credit_requested", "order", "refused"),
    ("wrap_up", "call", "done"),
)
_TOOL_NAMES = ("crm.find_customer", "billing.list_invoices", "orders.track", "network.line_test", "knowledge.search", "calendar.book")
_METRICS = (("jitter", "ms", 2.0, 30.0), ("packet_loss", "percent", 0.0, 2.5), ("round_trip", "ms", 15.0, 220.0), ("mos", "score", 2.8, 4.5))
_SKILLS = ("billing", "support", "sales", "retention")
_REGIONS = ("eu-west", "eu-north", "us-east")
_encode = msgspec.json.Encoder().encode


class Moment(NamedTuple):
    """When and where something happens."""

    rng: random.Random
    tenant: Tenant
    at: datetime


def make_events(count: int | None, seed: int, tenants: int, start: datetime, spacing: float = 0.001) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield events, each with its topic, key and value.

    40 % are calls with a conversation of about 50 words (a quarter of them with speaker turns, the others as plain transcript), 25 % actions of
    agents, 15 % tool invocations, 20 % metrics; 440 bytes on average. Calls and metrics are keyed by call, the others by tenant.

    Args:
        count: how many; None for no end.
        seed: of everything: ids, texts, moods.
        tenants: how many tenants share the events.
        start: the first event's time, aware.
        spacing: seconds from one event's time to the next one's.
    """
    rng = random.Random(seed)  # noqa: S311 - not a secret
    made = make_tenants(rng, tenants)
    for number in itertools.count() if count is None else range(count):
        moment = Moment(rng, rng.choice(made), start + timedelta(seconds=number * spacing))
        drawn = rng.random()
        if drawn < _CALLS:
            yield _call(moment)
        elif drawn < _ACTIONS:
            yield _action(moment)
        elif drawn < _TOOLS:
            yield _tool(moment)
        else:
            yield _metric(moment)


def _call(moment: Moment) -> tuple[str, bytes, bytes]:
    rng, tenant, at = moment
    agent = rng.choice(tenant.agents)
    topic = tenant.topic(rng, at.hour)
    said = conversation(rng, topic, tenant.mood(rng, agent, at.hour))
    call_id = _call_id(rng)
    if rng.random() < 0.25:
        words: dict[str, Any] = {
            "turns": [
                {"speaker": speaker, "start": number * _SENTENCE, "end": (number + 1) * _SENTENCE, "text": text}
                for number, (speaker, text) in enumerate(said)
            ]
        }
    else:
        words = {"transcript": " ".join(text for _, text in said)}
    event = _event(moment, "call") | {
        "call_id": call_id,
        "agent_id": agent.agent_id,
        "customer_id": _customer_id(rng),
        "channel": "voice",
        "direction": "outbound" if rng.random() < 0.15 else "inbound",
        "duration": round(rng.uniform(30, 900), 1),
        "queue": rng.choice(_SKILLS),
        "language": "en",
        **words,
    }
    return topics.VOC_CALLS, call_id.encode(), _encode(event)


def _action(moment: Moment) -> tuple[str, bytes, bytes]:
    rng, tenant, _ = moment
    action, target, outcome = rng.choice(_WORK)
    event = _event(moment, "agent_action") | {
        "agent_id": rng.choice(tenant.agents).agent_id,
        "call_id": _call_id(rng),
        "action": action,
        "target": target,
        "outcome": outcome,
        "latency_ms": rng.randrange(40, 4000),
        "metadata": {"region": rng.choice(_REGIONS), "skill": rng.choice(_SKILLS)},
    }
    return topics.VOC_ACTIONS, tenant.tenant_id.encode(), _encode(event)


def _tool(moment: Moment) -> tuple[str, bytes, bytes]:
    rng, tenant, _ = moment
    failed = rng.random() < 0.06
    event = _event(moment, "tool_invocation") | {
        "agent_id": rng.choice(tenant.agents).agent_id,
        "call_id": _call_id(rng),
        "tool": rng.choice(_TOOL_NAMES),
        "arguments": {"customer_id": _customer_id(rng), "limit": rng.randrange(1, 50)},
        "status": "error" if failed else "ok",
        "duration_ms": 5000 if failed else rng.randrange(20, 1500),
        "result": None if failed else {"records": rng.randrange(0, 12), "cached": rng.random() < 0.3},
        "error": "the system did not answer in time" if failed else None,
    }
    return topics.VOC_ACTIONS, tenant.tenant_id.encode(), _encode(event)


def _metric(moment: Moment) -> tuple[str, bytes, bytes]:
    rng, tenant, _ = moment
    metric, unit, low, high = rng.choice(_METRICS)
    call_id = _call_id(rng)
    event = _event(moment, "qos_metric") | {
        "agent_id": rng.choice(tenant.agents).agent_id,
        "call_id": call_id,
        "metric": metric,
        "value": round(rng.uniform(low, high), 2),
        "unit": unit,
        "metadata": {"codec": "opus", "region": rng.choice(_REGIONS)},
    }
    return topics.VOC_METRICS, call_id.encode(), _encode(event)


def _event(moment: Moment, event_type: str) -> dict[str, Any]:
    digits = f"{moment.rng.getrandbits(128):032x}"
    event_id = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
    return {"event_id": event_id, "tenant_id": moment.tenant.tenant_id, "timestamp": moment.at, "event_type": event_type}


def _call_id(rng: random.Random) -> str:
    return f"81{rng.randrange(10**13):013d}"


def _customer_id(rng: random.Random) -> str:
    return f"c{rng.randrange(200_000):06d}"
