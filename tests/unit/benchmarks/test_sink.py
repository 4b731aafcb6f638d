"""The sink counts what comes, however it is cut into pieces."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks.sink import Sink, Tally, rows_of
from benchmarks.voc_events import records


class Wire(asyncio.Transport):
    """What the sink answers."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)


BODY = b"\n".join(value for _, value in records(30)) + b"\n"
TARGET = b"POST /?query=INSERT+INTO+voc_events+FORMAT+JSONEachRow HTTP/1.1\r\n"
WHOLE = TARGET + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = (
    TARGET + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:9], BODY[9:])) + b"0\r\n\r\n"
)


@pytest.mark.parametrize("request_", [WHOLE, CHUNKED], ids=["with a length", "chunked"])
@pytest.mark.parametrize("size", [7, 1000, 1 << 20])
def test_rows_are_counted_whatever_the_pieces(request_: bytes, size: int) -> None:
    tally, wire = Tally(wanted=[45]), Wire()
    sink = Sink(tally, None)
    sink.connection_made(wire)
    both = request_ * 2
    for start in range(0, len(both), size):
        sink.data_received(both[start : start + size])
    assert (tally.rows, tally.inserts) == (60, 2)
    assert [mark.rows for mark in tally.marks] == [60]
    assert wire.written.count(b"200 OK") == 2


def test_a_binary_row_is_told_by_the_payload_in_it() -> None:
    assert rows_of("Native", b"\x00".join(value for _, value in records(12))) == 12


def test_what_was_found_is_told_as_json() -> None:
    tally, wire = Tally(), Wire()
    sink = Sink(tally, None)
    sink.connection_made(wire)
    sink.data_received(b"GET /counted/500 HTTP/1.1\r\n\r\nGET /found HTTP/1.1\r\n\r\n")
    assert json.loads(wire.written.rpartition(b"\r\n\r\n")[2])["rows"] == 500
