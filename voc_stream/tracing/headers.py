"""W3C Trace Context in Kafka headers, as much of it as must be read of every record: is it there, and is it sampled."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

# Version, trace, span and flags; a later version may go on behind them. Kafka allows a header without a value.
_FORM = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
FLAGS_AT = 54
_ODD = frozenset(b"13579bdf")

Given: TypeAlias = Iterable[tuple[str, Any]]


def traceparent_of(headers: Given) -> bytes | None:
    """Return a record's traceparent, or None where it has none that is one."""
    for name, value in headers:
        if name == TRACEPARENT:
            return value if value is not None and _FORM.fullmatch(value) else None
    return None


def is_sampled(traceparent: bytes) -> bool:
    """Whether those who sent it record the trace."""
    return traceparent[FLAGS_AT] in _ODD


def sampled_of(headers: Given) -> bytes | None:
    """Return a record's traceparent if its trace is recorded; quick where it is not, which is nearly always."""
    for name, value in headers:
        if name == TRACEPARENT:
            return value if value and len(value) > FLAGS_AT and value[FLAGS_AT] in _ODD and _FORM.fullmatch(value) else None
    return None
