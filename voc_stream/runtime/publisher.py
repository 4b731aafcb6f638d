"""Publishing that is done when the broker says so: `acks=all`, and every send's own future awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faust.exceptions import NotReady, ProducerSendError

from voc_stream.errors import OutageError, RejectedError
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.tracing.current import told_as


class Publisher:
    """Sends records with the app's producer.

    Args:
        app: the Faust app.
        timeout: seconds until unacknowledged records count as an outage of Kafka.
    """

    def __init__(self, app: Any, *, timeout: float = 30.0) -> None:
        self._app = app
        self._timeout = timeout

    @told_as("kafka publish")
    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        """Send records and wait until all are acknowledged; returns their offsets.

        Raises:
            OutageError: Kafka did not acknowledge all of them in time; any may have been written.
            RejectedError: a record is larger than Kafka takes.
        """
        if not records:
            return []
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._app.maybe_start_producer()
                futures = [
                    await producer.send(record.topic, record.key, record.value, record.partition, None, list(record.headers)) for record in records
                ]
                sent = await asyncio.gather(*futures)
        except TimeoutError as error:
            msg = "records were not acknowledged in time"
            raise OutageError("kafka", msg) from error
        except MessageSizeTooLargeError as error:
            largest = max(len(record.value or b"") for record in records)
            msg = f"a record of {largest} bytes is larger than Kafka takes"
            raise RejectedError("kafka", msg) from error
        except (KafkaError, ProducerSendError) as error:
            if isinstance(error.__cause__, MessageSizeTooLargeError):
                msg = "a record is larger than Kafka takes"
                raise RejectedError("kafka", msg) from error
            raise OutageError("kafka", type(error).__name__) from error
        except AssertionError as error:
            # How aiokafka says that the topic has fewer partitions than its dead letters or changelog rows need.
            if "partition" not in str(error):
                raise
            raise OutageError("kafka", "a topic has too few partitions; `faust -A voc_stream topics` tells which") from error
        return [int(metadata.offset) for metadata in sent]

    async def probe(self) -> None:
        """Ask the broker for metadata. A producer that has not started is left alone: a probe's time-out must not end its start.

        Raises:
            OutageError: it does not answer.
        """
        try:
            client = self._app.producer._ensure_producer().client  # noqa: SLF001 - Faust offers no metadata request
            async with asyncio.timeout(5.0):
                await client.fetch_all_metadata()
        except NotReady as error:
            raise OutageError("kafka", "not connected yet") from error
        except (KafkaError, TimeoutError, OSError) as error:
            known = type(error) not in {KafkaError, TimeoutError}
            raise OutageError("kafka", type(error).__name__ if known else "no broker answers") from error
