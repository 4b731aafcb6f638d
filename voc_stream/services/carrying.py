"""The tables' rows that new partitions need of the old ones, read from the changelog and written to it (docs/partitions.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from voc_stream import topics
from voc_stream.clients.growth_store import OpenGrowth
from voc_stream.clients.partition_admin import partition_of
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.settings import Settings
from voc_stream.stages.growth import call_carried, ids_carried, refuse_open_windows
from voc_stream.stages.ranges import Place, Row, decode_row
from voc_stream.topics import Family

# So many bytes are sent at once.
_AT_ONCE_BYTES = 4 << 20
_END = 1 << 62

Carried = Iterator[tuple[int, bytes, bytes]]


class Reads(Protocol):
    """What is needed of Kafka's records."""

    def read(self, topic: str, stretches: Mapping[int, tuple[int, int]]) -> AsyncIterator[Sequence[Any]]:
        """Yield the records of these stretches."""


class Carrying:
    """Carries rows over.

    Args:
        settings: KAFKA_INCARNATION, and for how long is remembered what was seen.
        reader: of the changelogs.
        sender: to them.
    """

    def __init__(self, settings: Settings, reader: Reads, sender: Publishes) -> None:
        self._settings = settings
        self._reader = reader
        self._sender = sender

    async def refuse_open_windows(self, growth: OpenGrowth, family: Family) -> None:
        """Check that every window of customer events is stored and committed.

        Raises:
            GrowthRefusedError: one is not.
        """
        if family.name == topics.EVENTS and family.changelog:
            for number in range(growth.before):
                for place, rows in self._ledgers(growth, number, await self._table(family.changelog, number)):
                    refuse_open_windows(place, rows, growth.ends[place.topic][number])

    async def carry(self, growth: OpenGrowth, family: Family) -> int:
        """Write to the new partitions what they must know; the same again writes the same rows again. Returns how many.

        Raises:
            OutsideError: Kafka failed.
        """
        if not family.changelog or growth.before == growth.after:
            return 0
        carried = 0
        for number in range(growth.before):
            rows = await self._table(family.changelog, number)
            waiting: list[Outgoing] = []
            size = 0
            for target, key, value in self._of_partition(growth, family, number, rows):
                waiting.append(Outgoing(family.changelog, key, value, partition=target))
                size += len(key) + len(value)
                if size >= _AT_ONCE_BYTES:
                    carried += len(await self._sender.publish(waiting))
                    waiting, size = [], 0
            carried += len(await self._sender.publish(waiting)) if waiting else 0
        return carried

    def _of_partition(self, growth: OpenGrowth, family: Family, number: int, rows: Mapping[bytes, bytes]) -> Carried:
        now = datetime.now(UTC).timestamp()
        if family.name == topics.CALLS:
            goes_to = partial(partition_of, count=growth.after)
            oldest = now - self._settings.calls_seen_seconds
            return (row for key, value in rows.items() if (row := call_carried(key, value, number, goes_to, oldest)))
        oldest_ms = int((now - self._settings.dedup_window_seconds) * 1000)
        return (
            row
            for place, mine in self._ledgers(growth, number, rows)
            for row in ids_carried(place, mine, (growth.before, growth.after), growth.ends[place.topic][number], oldest_ms)
        )

    def _ledgers(self, growth: OpenGrowth, number: int, rows: Mapping[bytes, bytes]) -> Iterator[tuple[Place, list[Row]]]:
        for topic in growth.ends:
            place = Place(self._settings.kafka_incarnation, topic, number)
            yield place, [decode_row(value) for key, value in rows.items() if key.startswith(place.prefix)]

    async def _table(self, changelog: str, number: int) -> dict[bytes, bytes]:
        """Return a partition's rows as the changelog tells them."""
        rows: dict[bytes, bytes] = {}
        async for records in self._reader.read(changelog, {number: (0, _END)}):
            for record in records:
                if record.value is None:
                    rows.pop(record.key, None)
                else:
                    rows[record.key] = record.value
        return rows
