"""The sums of customer events (`voc_sums`) against the events: what differs, and days made anew and exchanged (docs/voc-storage.md)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.clickhouse_faults import NAME
from voc_stream.clients.voc_hold import Hold
from voc_stream.errors import TransientError
from voc_stream.logs import get_logger

logger = get_logger(__name__)

_ATTEMPTS = 3
_KEYS = "tenant_id, by, at, key, event_type"
_MEASURES = ("events", "scored", "sentiment_sum", "positive", "negative", "complaints")
_COLUMNS = f"{_KEYS}, {', '.join(_MEASURES)}"
_DIFFER = " OR ".join(f"sum({measure} * side) != 0" for measure in _MEASURES)


@dataclass(frozen=True, slots=True)
class Difference:
    """A tenant's day on which a view is not what the table says.

    Attributes:
        tenant_id: whose.
        day: in UTC.
        by: which view: hour, day, agent or topic.
        keys: how many of its sums differ.
        table_events: events in the table, counted over those sums.
        view_events: events in the view, likewise.
    """

    tenant_id: str
    day: date
    by: str
    keys: int
    table_events: int
    view_events: int


class VocSums:
    """Compares and exchanges. Its methods raise `OutsideError`s.

    Args:
        client: with a time-out that suits the largest month.
    """

    def __init__(self, client: ClickHouse) -> None:
        self._client = client

    async def differences(self, days: Collection[date] = (), tenants: Collection[str] = ()) -> list[Difference]:
        """Return where views and table differ, in order; inserts under way at that moment can look like differences.

        Args:
            days: look at these only; none: at all.
            tenants: likewise.
        """
        chosen = _chosen(days, tenants)
        statement = f"""
            SELECT tenant_id, day, by, toInt64(count()) AS keys, sum(in_table) AS table_events, sum(in_view) AS view_events
            FROM
            (
                SELECT {_KEYS}, toDate(at) AS day, sumIf(events, side = 1) AS in_table, sumIf(events, side = -1) AS in_view
                FROM
                (
                    SELECT {_COLUMNS}, 1 AS side FROM voc_event_sums WHERE {chosen.of("day")}
                    UNION ALL
                    SELECT {_COLUMNS}, -1 AS side FROM voc_sums WHERE {chosen.of("toDate(at)")}
                )
                GROUP BY {_KEYS}
                HAVING {_DIFFER}
            )
            GROUP BY tenant_id, day, by
            ORDER BY tenant_id, day, by
        """  # noqa: S608 - names of our own
        return [Difference(**row) for row in await self._client.query(statement, chosen.parameters)]

    async def rebuild(self, days: Collection[date], tenants: Collection[str] = ()) -> None:
        """Make the sums of these days anew from the events, month by month, and exchange each month in one step.

        Args:
            days: in UTC.
            tenants: only theirs; none: everybody's.

        Raises:
            TransientError: another exchange is under way, or the hold was lost again and again.
        """
        if not days:
            return
        for _attempt in range(_ATTEMPTS):
            async with Hold(self._client).kept() as hold:
                for _month, some in groupby(sorted(days), key=lambda day: (day.year, day.month)):
                    await self._exchange(hold, tuple(some), tenants)
                differing = await self.differences(days, tenants)
            if not differing:
                logger.info("sums were made anew", days=len(days), tenants=len(tenants) or "all")
                return
        raise TransientError(NAME, f"the sums of {len(differing)} tenant-days still differ from the events after {_ATTEMPTS} exchanges")

    async def mend(self, days: Collection[date] = (), tenants: Collection[str] = ()) -> list[date]:
        """Rebuild what differs; return the days."""
        differing = await self.differences(days, tenants)
        found = sorted({difference.day for difference in differing})
        await self.rebuild(found, sorted({difference.tenant_id for difference in differing}))
        return found

    async def _exchange(self, hold: Hold, days: Collection[date], tenants: Collection[str]) -> None:
        chosen = _chosen(days, tenants)
        month = min(days)
        parameters: dict[str, Any] = {**chosen.parameters, "month": month.year * 100 + month.month}
        await self._client.command("TRUNCATE TABLE voc_sums_rebuilt")
        for source in (
            f"SELECT {_COLUMNS} FROM voc_sums WHERE toYYYYMM(at) = {{month:UInt32}} AND NOT ({chosen.of('toDate(at)')})",  # noqa: S608
            f"SELECT {_COLUMNS} FROM voc_event_sums WHERE {chosen.of('day')}",  # noqa: S608
        ):
            await self._client.command(f"INSERT INTO voc_sums_rebuilt ({_COLUMNS}) {source}", parameters)
        await hold.check()
        exchange = f"ALTER TABLE voc_sums REPLACE PARTITION {parameters['month']} FROM voc_sums_rebuilt"
        await self._client.command(f"{exchange} SETTINGS allow_replace_partition_from_empty_source = 1")
        await hold.check()
        await self._client.command("TRUNCATE TABLE voc_sums_rebuilt")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A choice of days and tenants, as a condition with its parameters."""

    parameters: dict[str, Any]

    def of(self, day: str) -> str:
        """Return the condition; `day` is what the day is called there."""
        conditions = {"days": f"{day} IN {{days:Array(Date)}}", "tenants": "tenant_id IN {tenants:Array(String)}"}
        return " AND ".join(conditions[name] for name in self.parameters) or "true"


def _chosen(days: Collection[date], tenants: Collection[str]) -> _Chosen:
    return _Chosen({name: list(values) for name, values in (("days", days), ("tenants", tenants)) if values})
