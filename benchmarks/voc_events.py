"""Customer events for the benchmarks: about 440 bytes, 40 % of them calls of some 52 words, no two with the same id or text; made quickly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

TENANTS = 20
# Different events before they come again with another id, order number and so another text.
TEMPLATES = 20_000
_NUMBER = 918_273_645
_ID = "00000000-0000-4000-8000-000000000000"
_MILLISECONDS_A_DAY = 86_400_000

_OPENING = (
    "Hello, I am calling about order number {number} which I placed on {day}.",
    "Hi there, my order {number} for the {thing} has not arrived yet.",
    "Good morning, I have a question about invoice {number} from {day}.",
    "I wanted to talk to somebody about my contract {number}, please.",
    "Yes, this is about case {number}, I spoke to your colleague on {day}.",
)
_MIDDLE = (
    "The {thing} stopped working after two days and I cannot turn it on again.",
    "You charged me {amount} dollars twice on my card in the same week.",
    "I have been waiting for the technician since {day} and nobody called me back.",
    "I would like to change my address before the next delivery goes out.",
    "Could you tell me how long the warranty for the {thing} lasts?",
    "My neighbour pays {amount} dollars less for exactly the same plan.",
    "I was told that the refund of {amount} dollars would arrive by {day}.",
    "The connection drops every evening around eight and comes back after an hour.",
    "I tried to reset my password three times but the message never came.",
    "We are thinking about upgrading to the larger plan for the whole office.",
    "The parcel was open when it came and the {thing} inside was broken.",
    "I followed the steps on your page and they did not help at all.",
)
_CLOSING = (
    "Thank you so much, that was really helpful and you were very friendly.",
    "This is the third time that I call and I am getting quite frustrated.",
    "Okay, that is fine, please send me the confirmation by mail then.",
    "Honestly I am not happy with this, I want to cancel the whole thing.",
    "Great, I am very satisfied with how quickly you solved this for me.",
    "I hate having to repeat everything, this service is really bad.",
    "All right, I will wait until {day} and call again if nothing happens.",
    "That is wonderful news, you have made my day, thanks again.",
)
_THINGS = ("router", "headset", "washing machine", "tablet", "coffee maker", "modem", "heater", "camera")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "the third of May", "the tenth of June")


@dataclass(frozen=True, slots=True)
class Template:
    """An event in JSON with two holes: its id and a number."""

    before: bytes
    between: bytes
    after: bytes
    key: bytes

    def value(self, number: int) -> bytes:
        """Return the event of a number."""
        return b"%b%b%b%d%b" % (self.before, event_id(number), self.between, number, self.after)


def event_id(number: int) -> bytes:
    """Return the id of an event's number: spread at its beginning, as random ids are, and told apart at its end."""
    return b"%08x-%04x-4000-8000-%012x" % (number * 2_654_435_761 & 0xFFFF_FFFF, number & 0xFFFF, number)


def records(count: int, *, seed: int = 1, first: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Make keys (the tenant) and values of events numbered `first` and on."""
    made = templates(min(count, TEMPLATES), seed)
    many = len(made)
    for number in range(first, first + count):
        template = made[number % many]
        yield template.key, template.value(number)


def templates(count: int, seed: int, tenants: str = "tenant") -> list[Template]:
    """Make templates; the same seed gives the same, but for the time of the events: the last day.

    Args:
        count: how many.
        seed: of everything made up.
        tenants: what their names begin with.
    """
    chance = random.Random(seed)  # noqa: S311 - made-up events
    now = datetime.now(UTC)
    return [_template(chance, now, number, f"{tenants}-{chance.randrange(TENANTS):02d}") for number in range(count)]


def _template(chance: random.Random, now: datetime, number: int, tenant: str) -> Template:
    at = now - timedelta(milliseconds=chance.randrange(_MILLISECONDS_A_DAY))
    common = {"event_id": _ID, "tenant_id": tenant, "timestamp": at.isoformat(timespec="milliseconds")}
    make = chance.choices((_call, _action, _tool, _metric), (40, 25, 20, 15))[0]
    text = msgspec.json.encode(common | make(chance, number))
    before, _, rest = text.partition(_ID.encode())
    between, _, after = rest.partition(str(_NUMBER).encode())
    return Template(before, between, after, tenant.encode())


def _call(chance: random.Random, number: int) -> dict[str, object]:
    said = [chance.choice(_OPENING), *chance.sample(_MIDDLE, 2), chance.choice(_CLOSING)]
    words = " ".join(said).format(number=_NUMBER, day=chance.choice(_DAYS), thing=chance.choice(_THINGS), amount=chance.randrange(5, 900))
    return {
        "event_type": "call",
        "transcript": words,
        "call_id": f"7{number:011d}",
        "agent_id": f"agent{chance.randrange(400)}",
        "customer_id": f"c-{chance.randrange(90_000)}",
        "direction": chance.choice(("inbound", "outbound")),
        "duration": round(chance.uniform(20, 900), 1),
        "language": "en",
    }


def _action(chance: random.Random, number: int) -> dict[str, object]:
    return {
        "event_type": "agent_action",
        "agent_id": f"agent{chance.randrange(400)}",
        "action": chance.choice(("transfer", "hold", "open_ticket", "close_ticket", "add_note")),
        "target": f"queue-{chance.randrange(12)}",
        "outcome": chance.choice(("ok", "ok", "ok", "failed")),
        "latency": round(chance.uniform(0.05, 4), 3),
        "metadata": _metadata(chance, number),
    }


def _tool(chance: random.Random, number: int) -> dict[str, object]:
    return {
        "event_type": "tool_invocation",
        "tool": chance.choice(("crm.lookup", "billing.refund", "kb.search", "order.status")),
        "arguments": {"id": chance.randrange(90_000), "fields": ["status", "history"]},
        "status": chance.choice(("ok", "ok", "error")),
        "duration": round(chance.uniform(0.01, 2), 3),
        "metadata": _metadata(chance, number),
    }


def _metric(chance: random.Random, number: int) -> dict[str, object]:
    return {
        "event_type": "qos_metric",
        "metric": chance.choice(("jitter", "packet_loss", "mos", "round_trip")),
        "value": round(chance.uniform(0, 50), 3),
        "unit": "ms",
        "call_id": f"7{number:011d}",
        "metadata": _metadata(chance, number),
    }


def _metadata(chance: random.Random, number: int) -> dict[str, object]:
    return {
        "trace": _NUMBER,
        "session": f"{chance.getrandbits(64):016x}",
        "site": chance.choice(("berlin", "austin", "manila")),
        "release": f"2026.{number % 12 + 1}",
        "host": f"desk-{chance.randrange(400)}.contact.internal",
    }
