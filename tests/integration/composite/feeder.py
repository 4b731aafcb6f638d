"""A process that feeds one side of a call, and may stand still between PostgreSQL's commit and ClickHouse: there it is killed.

`python -m tests.integration.composite.feeder scored|heard` reads the stores' settings from its environment.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from tests.composites import call_event, felt, result
from voc_stream.clients.composite_store import CompositeStore
from voc_stream.clients.postgres import Database
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


async def feed(side: str, database: Database, table: Tells) -> None:
    """Feed the side of the one call that these tests are about."""
    composite = Composite(CompositeStore(database), table, Weights)
    if side == "scored":
        await composite.scored([result(80.0)])
    else:
        await composite.heard([call_event()], [felt(0.5)])


if __name__ == "__main__":
    asyncio.run(feed(sys.argv[1], Database(load_settings()), StandsStill()))
