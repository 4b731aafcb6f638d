"""The demo's customer events: a gentle stream of made-up ones beside the calls, and how many of them ClickHouse has."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple, Self

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.events.voc import decode_voc
from voc_stream.generator.send import Event, Generator, Plan
from voc_stream.settings import Settings

# Speech recognition needs both cores; this is what the worker does in passing.
ONCE = Plan(rate=100.0, events=3000)
ENDLESS = Plan(rate=20.0)
PATIENCE_SECONDS = 60.0

_COUNT = "SELECT count() AS n FROM voc_events WHERE processed_at >= {since:DateTime64(3, 'UTC')}"
_IDS = "SELECT toString(event_id) AS id FROM voc_events WHERE processed_at >= {since:DateTime64(3, 'UTC')}"


class Counts(NamedTuple):
    """Events that Kafka has acknowledged, and rows that ClickHouse shows of them."""

    sent: int = 0
    stored: int = 0


class DemoEvents:
    """Sends events from its start on; use as an async context manager, at whose end it sends no more.

    Args:
        settings: of the running stack.
        once: send a fixed number, and count exactly those; else send until the end.
        say: takes lines for the person who watches.
        since: rows of earlier runs are not counted; from before the worker started, who stores calls' events before this sends any.
    """

    def __init__(self, settings: Settings, *, once: bool, say: Callable[[str], None], since: datetime) -> None:
        self._plan = ONCE if once else ENDLESS
        self._warehouse = Warehouse(settings)
        self._generator = Generator(settings, self._plan.rate, say, tell_seconds=math.inf)
        self._began = datetime.now(UTC)
        self._since = since
        self._ids: set[str] = set()
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sending = asyncio.create_task(self._generator.run(self._noted()))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._generator.stop()
        if self._sending:
            await asyncio.wait([self._sending])
        await self._warehouse.close()

    async def counts(self) -> Counts:
        """Return how far it is, roughly: rows of other events that came meanwhile are counted, too.

        Raises:
            OutsideError: Kafka or ClickHouse do not serve.
        """
        if self._sending and self._sending.done():
            self._sending.result()
        rows = await self._warehouse.query(_COUNT, {"since": self._since})
        return Counts(self._generator.acknowledged, int(rows[0]["n"]))

    @property
    def all_sent(self) -> bool:
        """Whether everything planned has been sent and acknowledged."""
        return self._generator.acknowledged == self._plan.events

    async def settled(self, others: Collection[str]) -> Counts:
        """Wait until ClickHouse has every event, each once, or shows no more of them; return exact counts.

        Args:
            others: ids of events that were sent by somebody else in the meantime: the calls' own.
        """
        wanted = self._ids | set(others)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            rows = await self._warehouse.query(_IDS, {"since": self._since})
            stored = sum(1 for row in rows if row["id"] in wanted)
            if stored >= len(wanted) or time.monotonic() > deadline:
                return Counts(len(wanted), stored)
            await asyncio.sleep(0.5)

    def _noted(self) -> Iterator[Event]:
        for event in self._plan.made(self._began):
            if self._plan.count is not None:
                self._ids.add(decode_voc(event[2]).event_id)
            yield event
