"""The proxies of the tests of outages fail as they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.proxy import HOST, Fault, Proxies, fault_proxies, kafka_rewrite

SECONDS = 30.0
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    with fault_proxies() as lent:
        yield lent


@pytest.fixture
async def port(proxies: Proxies) -> AsyncIterator[int]:
    """A proxy in front of a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    yield proxies.add("echo", server.sockets[0].getsockname()[1], cut_after=8)
    server.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Ends]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answered(ends: Ends, size: int) -> bytes:
    ends[1].write(b"x" * size)
    async with asyncio.timeout(SECONDS):
        return await ends[0].readexactly(size)


async def test_what_is_well_passes_both_ways(port: int) -> None:
    async with connected(port) as ends:
        assert await answered(ends, 100_000) == b"x" * 100_000


async def test_down_is_a_closed_port_and_open_connections_are_reset(proxies: Proxies, port: int) -> None:
    async with connected(port) as ends:
        await answered(ends, 4)
        proxies.become(Fault.DOWN, "echo")
        with pytest.raises(ConnectionResetError):
            await ends[0].read()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    proxies.become(Fault.WELL, "echo")
    async with connected(port) as ends:
        await answered(ends, 4)


async def test_refusing_is_accepting_and_resetting(proxies: Proxies, port: int) -> None:
    proxies.become(Fault.REFUSING, "echo")

    async def read() -> None:
        async with connected(port) as ends:
            await ends[0].read()

    with pytest.raises(ConnectionResetError):
        await read()


async def test_half_open_swallows_and_resets_when_it_is_well_again(proxies: Proxies, port: int) -> None:
    proxies.become(Fault.HALF_OPEN, "echo")
    async with connected(port) as ends:
        ends[1].write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ends[0].read(1), 0.2)
        proxies.become(Fault.WELL, "echo")
        with pytest.raises(ConnectionResetError):
            await ends[0].read()


async def test_slow_is_a_trickle_and_the_rest_comes_at_once_when_it_is_well_again(proxies: Proxies, port: int) -> None:
    proxies.become(Fault.SLOW, "echo")
    async with connected(port) as ends:
        ends[1].write(b"x" * 10_000)
        assert len(await ends[0].read(1 << 16)) < 100
        proxies.become(Fault.WELL, "echo")
        async with asyncio.timeout(SECONDS):
            await ends[0].readexactly(9_900)


async def test_cut_answers_begin_and_break_off(proxies: Proxies, port: int) -> None:
    proxies.become(Fault.CUT, "echo")
    async with connected(port) as ends:
        ends[1].write(b"x" * 100)
        assert await ends[0].readexactly(8) == b"x" * 8
        with pytest.raises(ConnectionResetError):
            await ends[0].read()
    assert proxies.cuts("echo") == 1


async def test_what_is_forgotten_stays_silent_and_new_connections_are_well(proxies: Proxies, port: int) -> None:
    async with connected(port) as old:
        await answered(old, 4)
        proxies.become(Fault.FORGOTTEN, "echo")
        async with connected(port) as new:
            await answered(new, 4)
        proxies.become(Fault.WELL, "echo")
        old[1].write(b"x")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(old[0].read(1), 0.2)


async def test_flapping_is_well_and_down_in_turn(proxies: Proxies, port: int) -> None:
    proxies.become(Fault.FLAPPING, "echo")
    seen: set[str] = set()
    async with asyncio.timeout(SECONDS):
        while seen != {"up", "down"}:
            try:
                async with connected(port) as ends:
                    await answered(ends, 4)
                seen.add("up")
            except OSError:
                seen.add("down")
            await asyncio.sleep(0.05)


async def test_kafka_s_answers_name_the_proxy(proxies: Proxies) -> None:
    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        answer = b"at " + HOST.encode() + own.to_bytes(4) + b"!"
        writer.write(len(answer).to_bytes(4) + answer)

    server = await asyncio.start_server(broker, HOST, 0)
    own = server.sockets[0].getsockname()[1]
    port = proxies.add("kafka", own, kafka_rewrite(own))
    async with connected(port) as (reader, writer):
        writer.write(b"?")
        async with asyncio.timeout(SECONDS):
            size = int.from_bytes(await reader.readexactly(4))
            assert await reader.readexactly(size) == b"at " + HOST.encode() + port.to_bytes(4) + b"!"
    server.close()
