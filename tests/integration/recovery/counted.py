"""What both disasters are counted by."""

from __future__ import annotations

import os

from tests.integration.recovery.centre import TENANT, Centre
from tests.voc import call_value

EVENTS = int(os.environ.get("RECOVERY_EVENTS", "3000"))


def events_of(customer: str, first: int, count: int) -> list[bytes]:
    return [call_value(first + number, tenant_id=TENANT, call_id=f"talk-{first + number}", customer_id=customer) for number in range(count)]


async def rows_of(centre: Centre, customer: str, first: int, count: int) -> int:
    calls = [f"talk-{first + number}" for number in range(count)]
    statement = "SELECT toInt64(count()) AS rows FROM voc_events WHERE customer_id = {customer:String} OR call_id IN {calls:Array(String)}"
    (row,) = await centre.query(statement, {"customer": customer, "calls": calls})
    return int(row["rows"])


async def assert_whole(centre: Centre, events: int) -> None:
    """Assert that every event and every call is everywhere once, and that the views say so."""
    stored = await centre.stored()
    assert stored == {"rows": events, "events": events, "offsets": events}
    assert set((await centre.call_events(centre.calls)).values()) == {1}
    async with centre.eyes() as pipeline:
        await pipeline.until_settled(centre.calls)
        await pipeline.assert_consistent(centre.calls)
    await centre.done("views")


async def spoken(centre: Centre) -> int:
    """Return how many calls have words, and so an event."""
    return len(await centre.call_events(centre.calls))
