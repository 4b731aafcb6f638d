"""Values that nobody should send to `voc.*`, each with what becomes of it; for the decoder's tests and for those on the real stack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.voc import call_value

# A word of a customer: no reason, header or log line may ever show it.
CANARY = "canary4711"


@dataclass(frozen=True, slots=True)
class Bad:
    """A value of a record.

    Attributes:
        value: its bytes.
        reason: a part of the reason why it is refused; "" if it is stored as data.
        error_type: of its dead letter.
    """

    value: bytes | None
    reason: str = ""
    error_type: str = "malformed"


def bad_input(number: int, now: datetime) -> dict[str, Bad]:
    """Return bad values by name.

    Args:
        number: of the event ids: the first of a hundred that nobody else uses.
        now: the time; an event without another one happens then.
    """
    timestamp = now.isoformat()
    good = call_value(number, timestamp=timestamp, transcript=CANARY)

    def changed(old: bytes, new: bytes) -> bytes:
        assert good.count(old) == 1
        return good.replace(old, new)

    def extra(text: bytes) -> bytes:
        return good[:-1] + b',"extra":' + text + b"}"

    def at(moment: str) -> bytes:
        return call_value(number, timestamp=moment, transcript=CANARY)

    stored = {
        "1e400 in a field that nobody knows": extra(b"1e400"),
        "NUL in the transcript": call_value(number + 1, timestamp=timestamp, transcript="a\0b"),
        "a key twice": call_value(number + 2, timestamp=timestamp, transcript="first")[:-1] + b',"transcript":"last"}',
        "a transcript of 1,000,000 characters": call_value(number + 3, timestamp=timestamp, transcript="bad news. " * 100_000),
        "half a day ahead": call_value(number + 4, timestamp=(now + timedelta(hours=12)).isoformat()),
        "100 levels deep": call_value(number + 5, timestamp=timestamp)[:-1] + b',"extra":' + b"[" * 100 + b"]" * 100 + b"}",
        "a tenant of 64 characters": call_value(number + 6, timestamp=timestamp, tenant_id="t" * 64),
    }
    refused = {
        "no value": (None, "no value"),
        "no bytes": (b"", "no value"),
        "not JSON": (CANARY.encode(), "JSON is malformed"),
        "cut off": (good[:-40], "truncated"),
        "a list": (b"[" + good + b"]", "Expected `object`, got `array`"),
        "wrong UTF-8 in a known field": (changed(b'"k1"', b'"\xff\xfe"'), "not UTF-8"),
        "wrong UTF-8 in a field that nobody knows": (extra(b'"\xff\xfe"'), "not UTF-8"),
        "a surrogate in UTF-8": (extra(b'"\xed\xa0\x80"'), "not UTF-8"),
        "half a surrogate pair": (extra(b'"\\ud800 and more"'), "JSON is malformed"),
        "the other half of a surrogate pair": (changed(b'"k1"', b'"\\udc00 and more"'), "surrogate"),
        "a line's end in a string": (changed(b'"k1"', b'"k\n1"'), "JSON is malformed"),
        "an unknown type": (changed(b'"event_type":"call"', b'"event_type":"%s"' % CANARY.encode()), "Invalid value at `$.event_type`"),
        "no type": (changed(b'"event_type":"call",', b""), "missing required field `event_type`"),
        "no event_id": (good.replace(b'"event_id"', b'"other_id"'), "missing required field `event_id`"),
        "an event_id that is null": (b'{"event_id":null,' + good[good.index(b'"event_type"') :], "$.event_id"),
        "an event_id that is no UUID": (b'{"event_id":"%s",' % CANARY.encode() + good[good.index(b'"event_type"') :], "Invalid UUID at `$.event_id`"),
        "a call without call_id": (changed(b'"call_id":"c1",', b""), "missing required field `call_id`"),
        "a call_id that is null": (changed(b'"call_id":"c1"', b'"call_id":null'), "$.call_id"),
        "an empty call_id": (changed(b'"call_id":"c1"', b'"call_id":""'), "$.call_id"),
        "a call_id of 65 characters": (changed(b'"call_id":"c1"', b'"call_id":"' + b"c" * 65 + b'"'), "$.call_id"),
        "NUL in an id": (changed(b'"k1"', b'"k\\u00001"'), "`customer_id` holds a control character"),
        "a naive time": (at("2026-11-22T10:15:30"), "timezone component at `$.timestamp`"),
        "no time": (changed(b'"timestamp"', b'"other_time"'), "missing required field `timestamp`"),
        "a time that is a number": (good.replace(timestamp.encode(), b"x").replace(b'"timestamp":"x"', b'"timestamp":17e8'), "$.timestamp"),
        "NaN": (extra(b"NaN"), "JSON is malformed"),
        "minus infinity": (extra(b"-Infinity"), "JSON is malformed"),
        "1e400 in a known field": (good[:-1] + b',"duration":1e400}', "out of range at `$.duration`"),
        "1e400 in metadata": (good[:-1] + b',"metadata":{"a":1e400}}', "out of range at `$.metadata"),
        "an integer of 5,000 digits in metadata": (good[:-1] + b',"metadata":{"a":' + b"9" * 5000 + b"}}", "out of range at `$.metadata"),
        "10 MB": (extra(b'"' + b"x" * 10_000_000 + b'"'), "longer than"),
        "10,000 levels deep": (extra(b"[" * 10_000 + b"]" * 10_000), "nested too deeply"),
        "10,000 levels deep in metadata": (good[:-1] + b',"metadata":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}", "nested too deeply"),
        "a tenant that climbs": (changed(b'"acme"', b'"../x"'), "`tenant_id` may hold"),
        "a tenant that is SQL": (changed(b'"acme"', b'"\'; DROP TABLE voc_events; --"'), "`tenant_id` may hold"),
        "a tenant with a line's end": (changed(b'"acme"', b'"acme\\n"'), "`tenant_id` may hold"),
        "an empty tenant": (changed(b'"acme"', b'""'), "$.tenant_id"),
        "a tenant of 65 characters": (changed(b'"acme"', b'"' + b"t" * 65 + b'"'), "$.tenant_id"),
    }
    timely = {
        "the year 1": (at("0001-01-01T00:00:00+14:00"), "before 1970"),
        "the year 9999": (at("9999-12-31T23:59:59-14:00"), "more than a day ahead"),
        "25 hours ahead": (at((now + timedelta(hours=25)).isoformat()), "more than a day ahead"),
    }
    return {
        **{name: Bad(value) for name, value in stored.items()},
        **{name: Bad(value, reason) for name, (value, reason) in refused.items()},
        **{name: Bad(value, reason, "bad_time") for name, (value, reason) in timely.items()},
    }


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
