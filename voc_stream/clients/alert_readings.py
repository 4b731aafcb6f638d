"""What the sliding windows hold, of all tenants in one query over minutes (migrations/clickhouse/*_voc_minutes.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.stages.alert_rules import Reading

# The minute of `now` is the last of each window. Tenants with fewer events than any rule wants are left out on the server.
_READINGS = """
SELECT
    tenant_id,
    arrayJoin({windows:Array(UInt32)}) AS minutes,
    toFloat64(sumIf(sentiment_sum, age < minutes)) AS total,
    sumIf(scored, age < minutes) AS sentiments,
    sumIf(complaints, age < minutes) AS complained,
    sumIf(topics, age < minutes) AS classified
FROM
(
    SELECT
        tenant_id,
        dateDiff('minute', minute, {now:DateTime('UTC')}) AS age,
        sum(sentiment_sum) AS sentiment_sum,
        sum(scored) AS scored,
        sum(complaints) AS complaints,
        sum(topics) AS topics
    FROM voc_minutes
    WHERE minute > {now:DateTime('UTC')} - toIntervalMinute({longest:UInt32})
    GROUP BY tenant_id, age
)
GROUP BY tenant_id, minutes
HAVING greatest(sentiments, classified) >= {least:UInt64}
"""


class AlertReadings:
    """Reads ClickHouse; raises its `OutsideError`s.

    Args:
        warehouse: the client.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    async def read(self, windows: Sequence[int], least: int, now: datetime) -> list[Reading]:
        """Return a reading for each tenant and window.

        Args:
            windows: lengths in minutes; the running minute is the last one of each.
            least: tenants with fewer events in a window are left out.
            now: when the windows end.
        """
        if not windows:
            return []
        parameters = {"windows": list(windows), "longest": max(windows), "now": now.replace(second=0, microsecond=0), "least": least}
        rows = await self._warehouse.query(_READINGS, parameters)
        return [Reading(row["tenant_id"], row["minutes"], row["total"], row["sentiments"], row["complained"], row["classified"]) for row in rows]
