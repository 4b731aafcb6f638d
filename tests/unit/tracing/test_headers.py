"""W3C Trace Context in Kafka headers: what is one, and whether it is sampled."""

from __future__ import annotations

import pytest

from voc_stream.tracing.headers import is_sampled, sampled_of, traceparent_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01".encode()
NOT_SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00".encode()
FUTURE = f"cc-{TRACE}-00f067aa0ba902b7-03-what-comes-then".encode()


@pytest.mark.parametrize(("value", "sampled"), [(SAMPLED, True), (NOT_SAMPLED, False), (FUTURE, True), (SAMPLED[:-2] + b"0a", False)])
def test_a_traceparent_says_whether_its_trace_is_recorded(value: bytes, sampled: bool) -> None:  # noqa: FBT001 - a parameter
    headers = [("other", b"x"), ("traceparent", value)]
    assert traceparent_of(headers) == value
    assert is_sampled(value) is sampled
    assert sampled_of(headers) == (value if sampled else None)


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"-01", b"01" * 40, b"ff" + SAMPLED[2:], SAMPLED[:-1], SAMPLED + b"x", SAMPLED.upper(), SAMPLED.replace(TRACE.encode(), b"0" * 32),
        SAMPLED.replace(b"00f067aa0ba902b7", b"0" * 16), b"\xff" * 55,
    ],
)  # fmt: skip
def test_what_is_none_counts_as_no_header(value: bytes | None) -> None:
    assert traceparent_of([("traceparent", value)]) is None
    assert sampled_of([("traceparent", value)]) is None


def test_a_record_without_headers_has_none() -> None:
    assert traceparent_of([]) is None
    assert sampled_of(()) is None
