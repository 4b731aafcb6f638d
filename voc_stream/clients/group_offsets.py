"""A consumer group from outside: whether anybody is in it, and its offsets set by hand, which Kafka allows only while nobody is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import OffsetAndMetadata

from voc_stream.clients.topic_reader import NAME, TIMEOUT_SECONDS
from voc_stream.errors import OutageError, RejectedError
from voc_stream.settings import Settings
from voc_stream.topic_admin import kafka_security


class GroupOffsets:
    """One group. Its methods raise `OutsideError`s.

    Args:
        settings: KAFKA_*.
        group: its name.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        self.group = group
        self._options = {
            "bootstrap_servers": list(settings.kafka_bootstrap),
            "request_timeout_ms": int(TIMEOUT_SECONDS * 1000),
            **kafka_security(settings),
        }

    async def members(self) -> int:
        """Return how many consumers are in the group."""
        admin = AIOKafkaAdminClient(client_id="voc-stream-groups", **self._options)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await admin.start()
                (response,) = await admin.describe_consumer_groups([self.group])
        except (KafkaError, OSError, TimeoutError) as error:
            raise OutageError(NAME, f"does not answer ({type(error).__name__})") from error
        finally:
            with suppress(KafkaError, OSError):
                await admin.close()
        code, _, state, _, _, members, *_ = response.groups[0]
        if code and for_code(code).__name__ != "GroupIdNotFound":
            raise RejectedError(NAME, f"does not tell of the group {self.group} ({for_code(code).__name__})")
        return 0 if state in {"Dead", "Empty"} else max(1, len(members))

    async def refuse_members(self) -> None:
        """Make sure that nobody is in the group.

        Raises:
            RejectedError: somebody is.
        """
        if count := await self.members():
            way = "stop all workers, wait for KAFKA_SESSION_TIMEOUT, and run this again"
            raise RejectedError(NAME, f"{count} consumers are in the group {self.group}: {way}")

    async def set(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit these offsets, by topic and partition.

        Raises:
            RejectedError: somebody is in the group.
            OutageError: Kafka does not answer.
        """
        if not offsets:
            return
        consumer = AIOKafkaConsumer(client_id="voc-stream-groups", group_id=self.group, enable_auto_commit=False, **self._options)
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await consumer.start()
                consumer.assign(list(wanted))
                await consumer.commit(wanted)
        except (OSError, TimeoutError) as error:
            raise OutageError(NAME, f"does not answer ({type(error).__name__})") from error
        except KafkaError as error:
            raise RejectedError(NAME, f"does not take offsets of the group {self.group} ({type(error).__name__}): is a worker running?") from error
        finally:
            with suppress(KafkaError, OSError):
                await consumer.stop()
