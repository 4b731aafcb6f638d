"""A time in which `voc_events` refuses inserts, so that nothing is lost while its sums are exchanged (docs/voc-storage.md).

The table's constraint asks `voc_hold` at each insert: workers meet an outage, wait, and send the same windows again. A hold ends by itself
HOLD_SECONDS after its owner was last heard of.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.clickhouse_faults import NAME
from voc_stream.errors import OutsideError, TransientError

HOLD_SECONDS = 30.0
_POLL_SECONDS = 0.05

_TAKE = "INSERT INTO voc_hold SELECT 1, now64(3) + toIntervalMillisecond({ms:Int64}), {owner:String}"
_HOLDER = "SELECT owner, until > now64(3) AS holds FROM voc_hold WHERE id = 1"
# Those that began before the hold passed its constraint. Others are refused.
_UNDER_WAY = """
SELECT count() AS inserts FROM system.processes
WHERE current_database = currentDatabase() AND elapsed >= {age:Float64} AND match(query, '(?i)^\\\\s*INSERT\\\\s+INTO\\\\s+\\\\S*voc_events\\\\b')
"""


class Hold:
    """Somebody's hold. Its methods raise `OutsideError`s.

    Args:
        client: of the database that is held.
    """

    def __init__(self, client: ClickHouse) -> None:
        self._client = client
        self._owner = uuid.uuid4().hex

    async def check(self) -> None:
        """Make sure that the hold still stands.

        Raises:
            TransientError: it ran out, or somebody else has it; what was made meanwhile may lack events.
        """
        if not await self._is_mine():
            raise TransientError(NAME, "the hold on voc_events ran out or was taken over; begin again")

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Hold]:
        """Hold until the block ends, and begin it when no insert is under way any more.

        Raises:
            TransientError: another one holds.
        """
        await self._take()
        keeper = asyncio.create_task(self._keep())
        try:
            await self._drained()
            yield self
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            # Unreleased, it runs out.
            with suppress(OutsideError):
                await self._release()

    async def _take(self) -> None:
        if any(row["holds"] for row in await self._client.query(_HOLDER)):
            raise TransientError(NAME, "voc_events is held already: another exchange of sums is under way")
        await self._extend()
        # Of two at the same moment the last one has it, and both see who that is.
        await asyncio.sleep(2 * _POLL_SECONDS)
        await self.check()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(HOLD_SECONDS / 5)
            # One that was missed is made up for by the next; `check` tells whether too many were.
            with suppress(OutsideError):
                if await self._is_mine():
                    await self._extend()

    async def _drained(self) -> None:
        began = time.monotonic()
        while True:
            (row,) = await self._client.query(_UNDER_WAY, {"age": time.monotonic() - began})
            if not row["inserts"]:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _is_mine(self) -> bool:
        return any(row["holds"] and row["owner"] == self._owner for row in await self._client.query(_HOLDER))

    async def _extend(self) -> None:
        await self._client.command(_TAKE, {"ms": int(HOLD_SECONDS * 1000), "owner": self._owner})

    async def _release(self) -> None:
        if await self._is_mine():
            await self._client.command("TRUNCATE TABLE voc_hold")
