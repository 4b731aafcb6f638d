"""Connections for those who read: nothing is written by mistake, nothing takes long, and plans fit the question's own values."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from voc_stream.clients.postgres import Connection, Database

# A reader waits no longer, and a question that would is stopped in the server, too.
LONGEST_SECONDS = 5.0

# A plan for any value would serve a tenant of a million calls as it serves one of ten. JIT costs more than these statements.
_CAREFUL = """
SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)
"""


@asynccontextmanager
async def reading(db: Database, *, seconds: float = LONGEST_SECONDS) -> AsyncIterator[Connection]:
    """Lend a connection in a transaction that can only read and sees one moment.

    Args:
        db: the pool.
        seconds: that a statement may take.

    Raises:
        TransientError: a statement took longer.
        OutsideError: see `voc_stream.clients.postgres`.
    """
    async with db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_CAREFUL, str(int(seconds * 1000)))
        yield connection
