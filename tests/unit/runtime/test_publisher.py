"""Publishing: done when the broker says so, and every fault told by what to do about it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError, NotLeaderForPartitionError, UnknownTopicOrPartitionError
from faust.exceptions import NotReady, ProducerSendError

from voc_stream.errors import OutageError, RejectedError
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.publisher import Publisher

RECORD = Outgoing("notes", b"key", b"value", (("header", b"x"),), 3)


class FakeProducer:
    """A producer: `on_send` is raised by send itself, `on_ack` by the future that it returns; no `on_ack` and no offset: it never answers."""

    def __init__(self, *, on_send: BaseException | None = None, on_ack: BaseException | None = None, answers: bool = True) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self._on_send, self._on_ack, self._answers = on_send, on_ack, answers
        self.client = self.producer = self

    async def maybe_start_producer(self) -> FakeProducer:
        return self

    async def send(self, *args: Any) -> asyncio.Future[Any]:
        if self._on_send is not None:
            raise self._on_send
        self.sent.append(args)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._on_ack is not None:
            future.set_exception(self._on_ack)
        elif self._answers:
            future.set_result(SimpleNamespace(offset=len(self.sent) + 40))
        return future

    def _ensure_producer(self) -> FakeProducer:
        return self

    async def fetch_all_metadata(self) -> None:
        if self._on_ack is not None:
            raise self._on_ack


def wrapped(cause: BaseException) -> ProducerSendError:
    error = ProducerSendError("Error while sending")
    error.__cause__ = cause
    return error


async def test_records_are_sent_as_they_are_and_their_offsets_returned() -> None:
    producer = FakeProducer()
    offsets = await Publisher(producer).publish([RECORD, RECORD])

    assert offsets == [41, 42]
    assert producer.sent[0] == ("notes", b"key", b"value", 3, None, [("header", b"x")])


async def test_nothing_to_publish_needs_no_broker() -> None:
    assert await Publisher(FakeProducer(on_send=KafkaConnectionError())).publish([]) == []


async def test_a_record_that_is_never_acknowledged_is_an_outage() -> None:
    with pytest.raises(OutageError, match="kafka: records were not acknowledged in time"):
        await Publisher(FakeProducer(answers=False), timeout=0.0).publish([RECORD])


@pytest.mark.parametrize(
    "producer",
    [
        FakeProducer(on_send=KafkaConnectionError()),
        FakeProducer(on_send=wrapped(UnknownTopicOrPartitionError())),
        FakeProducer(on_ack=NotLeaderForPartitionError()),
        FakeProducer(on_send=AssertionError("Unrecognized partition")),
    ],
)
async def test_a_broker_that_does_not_take_records_is_an_outage(producer: FakeProducer) -> None:
    with pytest.raises(OutageError):
        await Publisher(producer).publish([RECORD])


@pytest.mark.parametrize("producer", [FakeProducer(on_send=wrapped(MessageSizeTooLargeError())), FakeProducer(on_ack=MessageSizeTooLargeError())])
async def test_a_record_that_is_too_large_is_refused_without_quoting_it(producer: FakeProducer) -> None:
    with pytest.raises(RejectedError, match="larger than Kafka takes") as caught:
        await Publisher(producer).publish([RECORD])

    assert "value" not in str(caught.value)


async def test_an_error_of_ours_is_not_taken_for_one_of_kafka() -> None:
    with pytest.raises(ZeroDivisionError):
        await Publisher(FakeProducer(on_send=ZeroDivisionError())).publish([RECORD])


async def test_the_probe_is_well_when_the_broker_answers_and_an_outage_otherwise() -> None:
    await Publisher(FakeProducer()).probe()
    with pytest.raises(OutageError, match="KafkaConnectionError"):
        await Publisher(FakeProducer(on_ack=KafkaConnectionError())).probe()
    with pytest.raises(OutageError, match="no broker answers"):
        await Publisher(FakeProducer(on_ack=KafkaError("over all known brokers"))).probe()


async def test_the_probe_neither_starts_a_producer_nor_waits_for_its_start() -> None:
    starting = SimpleNamespace(producer=SimpleNamespace(_ensure_producer=Mock(side_effect=NotReady())))
    with pytest.raises(OutageError, match="not connected yet"):
        await Publisher(starting).probe()
