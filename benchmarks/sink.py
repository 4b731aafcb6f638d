"""The sink that all insert into: an HTTP server that reads rows and forgets them, in a process of its own.

`python -m benchmarks.sink [UPSTREAM_PORT]` serves on a free port, told on the first line, until its standard input closes.

It notes the moment, and the CPU time that the watched process has used, when so many rows have come: every contestant is measured from outside in the
same way, without its start. What is no insert of events (our worker asks ClickHouse some questions at its start) goes on to an upstream server.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import parse_qs, unquote_plus, urlsplit

import psutil
import uvloop

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CONTINUE = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_HOP_BY_HOP = re.compile(rb"\r\n(?:connection|transfer-encoding|content-length|expect): *[^\r]*", re.IGNORECASE)
_EVENTS = re.compile(r"INSERT\s+INTO\s+\S*voc_events\b.*?\bFORMAT\s+(\w+)", re.IGNORECASE | re.DOTALL)
_STORED = b'HTTP/1.1 200 OK\r\nX-ClickHouse-Summary: {"written_rows":"0"}\r\nContent-Length: 0\r\n\r\n'
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Mark:
    """The state when so many rows had come.

    Attributes:
        rows: how many had come, the last insert's included.
        at: seconds of a monotonic clock.
        cpu: seconds that the watched process and its children had used.
        stolen: seconds that the host had taken from this machine's processors.
    """

    rows: int
    at: float
    cpu: float
    stolen: float = 0.0


@dataclass(slots=True)
class Tally:
    """What came since the watch began."""

    pid: int | None = None
    wanted: list[int] = field(default_factory=list)
    rows: int = 0
    inserts: int = 0
    marks: list[Mark] = field(default_factory=list)

    def add(self, rows: int) -> None:
        """Count an insert."""
        self.rows += rows
        self.inserts += 1
        while self.wanted and self.rows >= self.wanted[0]:
            self.wanted.pop(0)
            self.marks.append(Mark(self.rows, time.perf_counter(), _cpu(self.pid), _stolen()))

    def found(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()


def _cpu(pid: int | None) -> float:
    if pid is None:
        return 0.0
    used = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            used += times.user + times.system
    return used


def _stolen() -> float:
    return getattr(psutil.cpu_times(), "steal", 0.0)


def rows_of(data_format: str, body: bytes) -> int:
    """Return how many rows a body has: a line is a row of JSONEachRow, and in a Native block a row has its event's JSON as it came."""
    return body.count(b"\n") if data_format == "JSONEachRow" else body.count(b'"event_id"')


class Sink(asyncio.Protocol):
    """One connection.

    Args:
        tally: shared by all.
        upstream: port of the server that answers what is no insert of events; without one such a request is answered with nothing.
    """

    def __init__(self, tally: Tally, upstream: int | None) -> None:
        self._tally = tally
        self._upstream = upstream
        self._received = bytearray()
        self._needed = 0
        self._continued = False
        self._transport: asyncio.Transport
        self._forwarding: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= self._needed and self._forwarding is None and self._take_request():
            pass

    def _take_request(self) -> bool:
        """Answer the first request that is here whole; whether there was one."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[:end])
        body, size = self._body(head, end + 4)
        if body is None:
            return False
        del self._received[:size]
        self._needed, self._continued = 0, False
        self._answer(head, body)
        return True

    def _body(self, head: bytes, start: int) -> tuple[bytes | None, int]:
        """Return the body and where it ends, or None while it is not here whole."""
        if _CHUNKED.search(head):
            return _unchunked(self._received, start)
        length = _LENGTH.search(head)
        end = start + (int(length[1]) if length else 0)
        if len(self._received) < end:
            self._needed = end
            if not self._continued and _CONTINUE.search(head):
                self._continued = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None, 0
        return bytes(self._received[start:end]), end

    def _answer(self, head: bytes, body: bytes) -> None:
        target = head[: head.find(b"\r\n")].split(b" ")[1].decode()
        path, _, rest = target.lstrip("/").partition("/")
        if path == "counted":
            self._tally.add(int(rest))
            self._transport.write(_STORED)
        elif path.startswith("watch"):
            self._watch(parse_qs(urlsplit(target).query))
        elif path == "found":
            self._say(self._tally.found())
        else:
            self._query(target, head, body)

    def _watch(self, wanted: dict[str, list[str]]) -> None:
        fresh = Tally(pid=int(wanted["pid"][0]), wanted=[int(mark) for mark in wanted["marks"][0].split(",")])
        for name in Tally.__slots__:
            setattr(self._tally, name, getattr(fresh, name))
        self._say(b"{}")

    def _query(self, target: str, head: bytes, body: bytes) -> None:
        insert = _EVENTS.search(unquote_plus(target)) or _EVENTS.match(body[:500].decode(errors="replace"))
        if insert:
            self._tally.add(rows_of(insert[1], body))
            self._transport.write(_STORED)
        elif self._upstream is None:
            self._say(b"")
        else:
            self._forwarding = asyncio.create_task(self._forward(_HOP_BY_HOP.sub(b"", head), body, self._upstream))

    def _say(self, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _forward(self, head: bytes, body: bytes, port: int) -> None:
        """Ask upstream on a connection of its own, and end ours with the answer."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(b"%b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
                while piece := await reader.read(1 << 16):
                    self._transport.write(piece)
                writer.close()
        self._transport.close()


def _unchunked(received: bytearray, start: int) -> tuple[bytes | None, int]:
    """Return a chunked body and where it ends, or None while it is not here whole."""
    pieces: list[bytes] = []
    while (line := received.find(b"\r\n", start)) >= 0:
        size = int(received[start:line].split(b";")[0], 16)
        start = line + 2
        if len(received) < start + size + 2:
            break
        if size == 0:
            return b"".join(pieces), start + 2
        pieces.append(bytes(received[start : start + size]))
        start += size + 2
    return None, 0


async def serve(upstream: int | None) -> None:
    """Serve until the standard input closes."""
    tally = Tally()
    server = await asyncio.get_running_loop().create_server(lambda: Sink(tally, upstream), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else None))
