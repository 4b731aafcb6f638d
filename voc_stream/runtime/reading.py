"""What a windowed stage needs of the consumer."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from voc_stream.errors import OutageError

TIMEOUT_SECONDS = 30.0


class GroupReading:
    """The group's reading of its partitions.

    Args:
        app: the Faust app, with our transport.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    def rewind(self, tp: TP, offset: int) -> None:
        """Read from an earlier offset on."""
        self._app.consumer.rewind(tp, offset)

    def committed(self, tp: TP) -> int:
        """Return the committed offset, 0 without one."""
        offset: int = self._app.consumer.committed(tp)
        return offset

    async def end(self, tp: TP) -> int:
        """Return the offset after the partition's last record.

        Raises:
            OutageError: Kafka does not answer.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                end = (await self._app.consumer.highwaters(tp)).get(tp)
        except (KafkaError, TimeoutError) as error:
            raise OutageError("kafka", f"no end offset ({type(error).__name__})") from error
        if end is None:
            raise OutageError("kafka", "no end offset")
        return int(end)
