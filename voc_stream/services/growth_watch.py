"""Whether a worker's topics are growing (docs/partitions.md)."""

from __future__ import annotations

from voc_stream.clients.growth_store import GrowthStore
from voc_stream.errors import OutsideError
from voc_stream.runtime.gate import Gate


class GrowingError(Exception):
    """The partitions of the worker's topics grow: no worker may work meanwhile."""


async def growing(store: GrowthStore, gate: Gate) -> GrowingError | None:
    """Return why the worker must end, None while nothing grows or PostgreSQL cannot say."""
    if not gate.is_open:
        return None
    try:
        found = await store.open()
    except OutsideError as error:
        gate.close(error)
        return None
    return GrowingError(str(found[0])) if found else None
