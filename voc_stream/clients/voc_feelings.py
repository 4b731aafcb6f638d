"""What the customers of some calls felt, as `voc_events` holds it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.stages.composite import Feeling, Key

# As text, ids come in the order in which Python and PostgreSQL have them. Where events are replicated, the last acknowledged insert must be seen
# (ADR 14); on a table that is not, the setting does nothing.
_NEWEST = """
SELECT tenant_id, call_id, sentiment, sentiment_source, ts, event_id, topic FROM voc_events
WHERE tenant_id IN {tenants:Array(String)} AND call_id IN {calls:Array(String)}
  AND ts BETWEEN {since:DateTime64(3, 'UTC')} AND {until:DateTime64(3, 'UTC')} AND event_type = 'call' AND sentiment BETWEEN -1 AND 1
ORDER BY ts DESC, toString(event_id) DESC LIMIT 1 BY tenant_id, call_id
SETTINGS select_sequential_consistency = 1
"""

# Their names must go into one parameter of a request.
_MOST_CALLS = 500


class VocFeelings:
    """Looks sentiments up by call."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def newest(self, calls: Collection[Key], since: datetime, until: datetime) -> dict[Key, Feeling]:
        """Return the newest sentiment of each of the calls that has one; of two of one moment that of the event with the higher id.

        Args:
            calls: whose.
            since: with `until`, inclusive: of which time events are looked at.
            until: see `since`.

        Raises:
            OutsideError: see `voc_stream.clients.clickhouse_client`.
        """
        keys = sorted(set(calls))
        found: dict[Key, Feeling] = {}
        for part in (keys[start : start + _MOST_CALLS] for start in range(0, len(keys), _MOST_CALLS)):
            wanted = {
                "tenants": sorted({tenant for tenant, _ in part}),
                "calls": sorted({call for _, call in part}),
                "since": _in_utc(since),
                "until": _in_utc(until),
            }
            rows = {(row["tenant_id"], row["call_id"]): row for row in await self._clickhouse.query(_NEWEST, wanted)}
            # Two tenants may call their calls the same, and only one of them be asked for.
            found |= {key: _feeling(rows[key]) for key in part if key in rows}
        return found


def _feeling(row: dict[str, Any]) -> Feeling:
    return Feeling.as_stored(row["sentiment"], row["sentiment_source"], row["ts"].replace(tzinfo=UTC), row["event_id"], row["topic"])


def _in_utc(moment: datetime) -> str:
    # The driver would give the time in the server's zone.
    return moment.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
