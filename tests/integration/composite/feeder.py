"""A process that feeds one side of a call, and may stand still between PostgreSQL's commit and ClickHouse: there it is killed.

`python -m tests.integration.composite.feeder scored|heard` reads the stores' settings from its environment.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from tests.composites import call_event, felt, result
from tests.voc import store
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.voc_feelings import VocFeelings
from voc_stream.events.base import encode
from voc_stream.services.composite import Composite, Tells
from voc_stream.settings import load_settings
from voc_stream.stages.composite import CallSides, Weights

COMMITTED = "committed"


class StandsStill:
    """A ClickHouse that takes for ever."""

    async def insert(self, calls: Sequence[CallSides]) -> None:
        sys.stdout.write(f"{COMMITTED} {len(calls)}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def feed(side: str, database: Database, warehouse: Warehouse, table: Tells) -> None:
    """Feed the side of the one call that these tests are about; an event is stored before it is heard."""
    composite = Composite(CompositeStore(database), table, VocFeelings(warehouse), Weights)
    if side == "scored":
        await composite.scored([result(80.0)])
    else:
        await store(warehouse, [(encode(call_event()), felt(0.5))])
        await composite.heard([call_event()], [felt(0.5)])


if __name__ == "__main__":
    settings = load_settings()
    asyncio.run(feed(sys.argv[1], Database(settings), Warehouse(settings), StandsStill()))
