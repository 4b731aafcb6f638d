"""A connection to Kafka that was reset a moment ago is a broken connection, also where uvloop says it by a RuntimeError."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest_v1

from voc_stream.runtime.broken_writes import tell_broken_writes


@pytest.mark.parametrize("policy", [asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy])
def test_a_request_on_a_connection_that_was_just_closed_is_a_broken_connection(policy: type[asyncio.AbstractEventLoopPolicy]) -> None:
    tell_broken_writes()
    tell_broken_writes()

    async def too_late() -> None:
        server = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(0), "127.0.0.1", 0)
        connection = AIOKafkaConnection(*server.sockets[0].getsockname(), version_hint=(0, 9))
        await connection.connect()
        connection._writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        try:
            for _ in range(10):
                await connection.send(MetadataRequest_v1([]))
        finally:
            connection.close()
            server.close()

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner, pytest.raises(KafkaConnectionError):
        runner.run(too_late())
