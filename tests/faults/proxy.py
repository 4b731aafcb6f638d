"""TCP proxies that fail on request, in front of servers that are well.

A port is held for as long as its proxy lives, also while nobody listens on it, so that no other server can take it meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any, TypeVar

from voc_stream.devstack.ports import free_port

T = TypeVar("T")
HOST = "127.0.0.1"
_CHUNK = 64 << 10
_FRAME_HEAD = 4
# Of a trickle, of an answer that is cut, and of a server that comes and goes.
TRICKLE_BYTES, TRICKLE_SECONDS = 4, 0.5
CUT_AFTER_BYTES = 2000
UP_SECONDS, DOWN_SECONDS = 1.5, 1.0


class Fault(StrEnum):
    """What a client meets."""

    WELL = "well"
    DOWN = "down"
    """A closed port; connections that were open are reset."""
    REFUSING = "refusing"
    """Every connection is accepted and reset at once."""
    SLOW = "slow"
    """Answers trickle, some bytes a second: never silent, never done."""
    HALF_OPEN = "half-open"
    """Connections are accepted and stay open, what is sent is swallowed, no answer comes."""
    FLAPPING = "flapping"
    """Well and down in turn, a second or so each."""
    CUT = "cut"
    """Requests arrive; their answers are cut after some bytes and the connection is reset."""
    FORGOTTEN = "forgotten"
    """What was open is silent for ever, as behind a firewall that forgot it; new connections are well."""


FAULTS = (Fault.DOWN, Fault.REFUSING, Fault.SLOW, Fault.HALF_OPEN, Fault.FLAPPING, Fault.CUT)
"""Those that a dependency as a whole may have."""


class FaultProxy:
    """One proxy; its coroutines belong to the loop of `Proxies`.

    Args:
        behind: port of the server.
        rewrite: changes each whole answer of a protocol whose messages begin with their length (Kafka's); None: bytes pass as they come.
        cut_after: bytes of a connection's answers that `Fault.CUT` lets pass.

    Attributes:
        accepted: how many connections were made.
        cuts: how many of them were cut.
        flaps: how often it has come back while it was flapping.
    """

    def __init__(self, behind: int, rewrite: Callable[[bytes, int], bytes] | None = None, cut_after: int = CUT_AFTER_BYTES) -> None:
        self.port = free_port()
        self.accepted = self.cuts = self.flaps = 0
        self._cut_after = cut_after
        self._behind = behind
        self._rewrite = rewrite
        self._fault = Fault.WELL
        self._held = _bound(self.port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._flapping: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def fault(self) -> Fault:
        """What clients meet now."""
        return self._fault

    async def become(self, fault: Fault) -> None:
        """Fail in this way from now on."""
        if self._flapping is not None:
            self._flapping.cancel()
            await asyncio.gather(self._flapping, return_exceptions=True)
            self._flapping = None
        # What was swallowed would be missed later: a server that comes back knows nothing of its old connections.
        if fault in {Fault.DOWN, Fault.REFUSING} or self._fault is Fault.HALF_OPEN:
            self._reset()
        if fault is Fault.FORGOTTEN:
            self._forgotten |= self._open
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()
        await self._listen(fault is not Fault.DOWN)
        if fault is Fault.FLAPPING:
            self._flapping = asyncio.create_task(self._flap())

    async def close(self) -> None:
        """End every connection and give the port back."""
        await self.become(Fault.DOWN)
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._held.close()

    async def _listen(self, wanted: bool) -> None:  # noqa: FBT001 - a switch
        if wanted and self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=_bound(self.port), limit=_CHUNK)
        elif not wanted and self._server is not None:
            server, self._server = self._server, None
            server.close()

    async def _flap(self) -> None:
        while True:
            self._reset()
            await self._listen(wanted=False)
            await asyncio.sleep(DOWN_SECONDS)
            await self._listen(wanted=True)
            await asyncio.sleep(UP_SECONDS)
            self.flaps += 1

    def _reset(self) -> None:
        for writer in tuple(self._open):
            _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._fault is Fault.REFUSING:
            _abort(writer)
            return
        try:
            from_server, to_server = await asyncio.open_connection(HOST, self._behind, limit=_CHUNK)
        except OSError:
            _abort(writer)
            return
        ends = {writer, to_server}
        self._open |= ends
        pumps = {asyncio.create_task(self._requests(reader, to_server)), asyncio.create_task(self._answers(from_server, writer))}
        self._pumps |= pumps
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._pumps -= pumps
            self._open -= ends
            self._forgotten -= ends
            for end in ends:
                if self._fault is Fault.WELL:
                    end.close()
                else:
                    _abort(end)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if self._fault is not Fault.HALF_OPEN and writer not in self._forgotten:
                    writer.write(chunk)
                    await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self._cut_after
        with suppress(OSError, asyncio.IncompleteReadError):
            while chunk := await self._next(reader):
                if writer in self._forgotten:
                    continue
                match self._fault:
                    case Fault.HALF_OPEN:
                        continue
                    case Fault.SLOW:
                        await self._trickle(chunk, writer)
                    case Fault.CUT:
                        writer.write(chunk[:left])
                        await writer.drain()
                        left -= len(chunk)
                        if left <= 0:
                            self.cuts += 1
                            # What is written must leave before the reset throws it away.
                            await asyncio.sleep(0.01)
                            return
                    case _:
                        writer.write(chunk)
                        await writer.drain()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        if self._rewrite is None:
            return await reader.read(_CHUNK)
        head = await reader.readexactly(_FRAME_HEAD)
        return head + self._rewrite(await reader.readexactly(int.from_bytes(head)), self.port)

    async def _trickle(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(chunk), TRICKLE_BYTES):
            if self._fault is not Fault.SLOW:
                writer.write(chunk[start:])
                await writer.drain()
                return
            writer.write(chunk[start : start + TRICKLE_BYTES])
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), TRICKLE_SECONDS)


class Proxies:
    """Proxies by name, on a thread of their own. Its methods block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxies", daemon=True)
        self._thread.start()
        self._proxies: dict[str, FaultProxy] = {}

    def add(self, name: str, behind: int, rewrite: Callable[[bytes, int], bytes] | None = None, cut_after: int = CUT_AFTER_BYTES) -> int:
        """Put a proxy in front of a port; returns its own."""

        async def made() -> FaultProxy:
            proxy = FaultProxy(behind, rewrite, cut_after)
            await proxy.become(Fault.WELL)
            return proxy

        proxy = self._proxies[name] = self._run(made())
        return proxy.port

    def become(self, fault: Fault, *names: str) -> None:
        """Let these fail in this way, or all of them when none is named."""
        for name in names or self._proxies:
            self._run(self._proxies[name].become(fault))

    def port(self, name: str) -> int:
        """Return a proxy's port."""
        return self._proxies[name].port

    def accepted(self, name: str) -> int:
        """Return how many connections a proxy has accepted."""
        return self._proxies[name].accepted

    def cuts(self, name: str) -> int:
        """Return how many connections a proxy has cut."""
        return self._proxies[name].cuts

    def flaps(self, name: str) -> int:
        """Return how often a proxy has come and gone."""
        return self._proxies[name].flaps

    def close(self) -> None:
        """End all."""
        for proxy in self._proxies.values():
            self._run(proxy.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def fault_proxies() -> Iterator[Proxies]:
    """Lend proxies; they end with the block."""
    proxies = Proxies()
    try:
        yield proxies
    finally:
        proxies.close()


def kafka_rewrite(behind: int) -> Callable[[bytes, int], bytes]:
    """Let a broker name the proxy's port wherever it names its own, so that clients stay behind the proxy."""
    address = HOST.encode()

    def rewrite(answer: bytes, port: int) -> bytes:
        return answer.replace(address + behind.to_bytes(4), address + port.to_bytes(4))

    return rewrite


def _abort(writer: asyncio.StreamWriter) -> None:
    """Reset a connection; merely closed it would say farewell."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _bound(port: int) -> socket.socket:
    """Return a socket that is bound and does not listen: connecting to it is refused. Only a second one made here can share its port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((HOST, port))
    return made
