"""The pace of a body: who sends less than anybody speaks will not come to an end."""

from __future__ import annotations

import pytest

from voc_stream.clients.streams import SLOWEST, Pace
from voc_stream.errors import TransientError


class Sender:
    """Sends chunks, each after so many seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def send(self, chunk: bytes, after: float) -> bytes:
        self.now += after
        return chunk


async def test_a_trickle_is_given_up_after_the_patience() -> None:
    sender = Sender()
    pace = Pace("recorder", 30.0, sender)
    for _ in range(2):
        assert await pace.of(sender.send(b"x" * 100, after=10.0))
    with pytest.raises(TransientError, match="less than 512 bytes a second"):
        await pace.of(sender.send(b"x" * 100, after=10.0))


async def test_what_comes_as_fast_as_speech_may_come_for_hours() -> None:
    sender = Sender()
    pace = Pace("recorder", 30.0, sender)
    for _ in range(1000):
        assert await pace.of(sender.send(b"x" * SLOWEST * 11, after=10.0))


async def test_the_time_in_which_nobody_reads_does_not_count() -> None:
    sender = Sender()
    pace = Pace("recorder", 30.0, sender)
    for _ in range(10):
        assert await pace.of(sender.send(b"x", after=1.0))
        sender.now += 600.0


async def test_the_end_of_a_body_is_no_trickle() -> None:
    sender = Sender()
    pace = Pace("recorder", 30.0, sender)

    assert await pace.of(sender.send(b"", after=100.0)) == b""
