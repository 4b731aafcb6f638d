"""The minutes that alerts are made of (`voc_minutes`), made anew from the events when events were deleted (docs/alerts.md)."""

from __future__ import annotations

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.voc_hold import Hold

_COLUMNS = "tenant_id, minute, scored, sentiment_sum, topics, complaints"
# Older minutes are dropped by the table itself, or soon will be.
_KEPT = "minute > now() - INTERVAL 3 DAY"

_FILL = f"INSERT INTO voc_minutes_rebuilt ({_COLUMNS}) SELECT {_COLUMNS} FROM voc_event_minutes WHERE {_KEPT}"  # noqa: S608 - names of our own
_DAYS = f"""
SELECT DISTINCT toYYYYMMDD(minute) AS day FROM voc_minutes WHERE {_KEPT}
UNION DISTINCT
SELECT DISTINCT toYYYYMMDD(minute) AS day FROM voc_minutes_rebuilt
"""  # noqa: S608


async def rebuild_minutes(client: ClickHouse) -> None:
    """Make the minutes anew and exchange each day in one step; inserts of events are refused meanwhile.

    Args:
        client: with a time-out that suits three days of events.

    Raises:
        OutsideError: ClickHouse failed, or another exchange is under way (TransientError).
    """
    async with Hold(client).kept() as hold:
        await client.command("TRUNCATE TABLE voc_minutes_rebuilt")
        await client.command(_FILL)
        days = [int(row["day"]) for row in await client.query(_DAYS)]
        await hold.check()
        for day in days:
            exchange = f"ALTER TABLE voc_minutes REPLACE PARTITION {day} FROM voc_minutes_rebuilt"
            await client.command(f"{exchange} SETTINGS allow_replace_partition_from_empty_source = 1")
        await hold.check()
        await client.command("TRUNCATE TABLE voc_minutes_rebuilt")
