"""Publishing to Kafka without Faust, for a process that seldom does: it connects at the first use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from voc_stream.errors import OutageError, RejectedError
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.settings import Settings
from voc_stream.topic_admin import NAME, kafka_security

_MOST_BYTES = 64 << 20


class KafkaSender:
    """Sends records; done when the broker says so.

    Args:
        settings: KAFKA_*.
        timeout: seconds until unacknowledged records, or no connection, count as an outage.
    """

    def __init__(self, settings: Settings, *, timeout: float = 15.0) -> None:
        self._settings = settings
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        """Send records and wait until all are acknowledged; returns their offsets.

        Raises:
            OutageError: Kafka did not acknowledge all of them in time; any may have been written.
            RejectedError: a record is larger than Kafka takes.
        """
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._opened()
                sent = [await producer.send(each.topic, each.value, each.key, each.partition, headers=list(each.headers)) for each in records]
                return [int(metadata.offset) for metadata in await asyncio.gather(*sent)]
        except MessageSizeTooLargeError as error:
            raise RejectedError(NAME, "a record is larger than Kafka takes") from error
        except (KafkaError, TimeoutError, OSError) as error:
            raise OutageError(NAME, f"records were not acknowledged ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close the connection, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _opened(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=list(self._settings.kafka_bootstrap),
                    acks="all",
                    compression_type="lz4",
                    max_request_size=_MOST_BYTES,
                    request_timeout_ms=int(self._timeout * 1000),
                    **kafka_security(self._settings),
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
