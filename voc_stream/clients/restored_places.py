"""How far databases hold what the topics say, for `rewind`: asked of them, whoever restored them (docs/adr/0033)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.postgres import Database
from voc_stream.stages.rewinding import first_hole

Place = tuple[str, int]
"""Topic and partition."""

# Records of `calls.raw` that may have been under way at once, of which some took effect before others (agents/enrich.py).
UNDER_WAY = 2000

# The view knows of deleted events, the table of those that a crash kept from the view.
_STORED = """
SELECT kafka_incarnation, kafka_topic, kafka_partition, max(newest) AS newest FROM
(
    SELECT kafka_incarnation, kafka_topic, kafka_partition, max(newest) AS newest FROM voc_offsets GROUP BY ALL
    UNION ALL
    SELECT kafka_incarnation, kafka_topic, kafka_partition, max(kafka_offset) AS newest FROM voc_events GROUP BY ALL
)
GROUP BY ALL
"""
_NEWEST_RESULT = "SELECT max(scored_at) AS at, count() AS rows FROM call_scores"
_KNOWN = "SELECT DISTINCT call_id, model_version FROM call_scores WHERE call_id IN {calls:Array(String)}"
_REACHED = "SELECT partition, max(\"offset\") AS newest FROM call_event WHERE stage = 'enrich' AND topic = $1 GROUP BY partition"
_LAST = """
SELECT partition, "offset" FROM call_event JOIN unnest($2::int[], $3::bigint[]) AS reached (partition, newest) USING (partition)
WHERE stage = 'enrich' AND topic = $1 AND "offset" > newest - $4
"""
_AS_OF = "SELECT max(at) FROM call_event"
_RESTORED = """
SELECT after FROM audit_log WHERE action = 'restored' AND id > coalesce((SELECT max(id) FROM audit_log WHERE action = 'rewound'), 0) ORDER BY id
"""
_RESULTS = """
SELECT id, call_id, model_version FROM scoring_result WHERE scored_at >= $1 AND id > $2 ORDER BY id LIMIT $3
"""
_WAITING = "status IN ('PENDING_DOWNLOAD', 'DOWNLOADED') AND next_attempt_at IS NULL"
_COUNT_WAITING = f"SELECT count(*) FROM call WHERE {_WAITING}"  # noqa: S608 - our own condition
_PUT_BACK = f"""
WITH put AS (
UPDATE call SET status = 'PENDING_DOWNLOAD', status_reason = 'put back after a restore', next_attempt_at = now() WHERE {_WAITING} RETURNING 1)
SELECT count(*) FROM put
"""  # noqa: S608
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """What ClickHouse holds of topics.

    Attributes:
        ends: the offset after the newest stored record, of this incarnation.
        foreign: where only other incarnations are stored: nothing can be told of these.
    """

    ends: dict[Place, int]
    foreign: frozenset[Place]


class Restored(msgspec.Struct, frozen=True):
    """What `restore` writes into the audit log for `rewind`.

    Attributes:
        places: the databases.
        offsets: where the group stood before they were backed up, by topic and partition: everything before took effect in them.
    """

    places: tuple[str, ...]
    offsets: dict[str, dict[int, int]] = {}


class EventsPlace:
    """ClickHouse. Its methods raise `OutsideError`s.

    Args:
        client: of the database.
        incarnation: of the topics.
    """

    def __init__(self, client: ClickHouse, incarnation: str) -> None:
        self._client = client
        self._incarnation = incarnation

    async def stored(self) -> Stored:
        """Return how far each partition is stored. Windows of a partition are stored one after another, so that nothing before that is missing."""
        ends: dict[Place, int] = {}
        others: set[Place] = set()
        for row in await self._client.query(_STORED):
            place = (row["kafka_topic"], row["kafka_partition"])
            if row["kafka_incarnation"] == self._incarnation:
                ends[place] = row["newest"] + 1
            else:
                others.add(place)
        return Stored(ends, frozenset(others - ends.keys()))

    async def newest_result(self) -> datetime | None:
        """Return when the newest result that it holds was made."""
        (row,) = await self._client.query(_NEWEST_RESULT)
        return row["at"] if row["rows"] else None

    async def missing(self, results: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return which of these results (call, model version) it does not hold."""
        known = await self._client.query(_KNOWN, {"calls": [call_id for call_id, _ in results]})
        return sorted(set(results) - {(row["call_id"], row["model_version"]) for row in known})


class CallsPlace:
    """PostgreSQL. Its methods raise `OutsideError`s.

    Args:
        db: the pool, with a time-out that suits its largest table.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def enriched(self, topic: str) -> dict[int, int]:
        """Return, by partition, the offset before which every record of `calls.raw` has its call, as the timelines tell, or may be forgotten."""
        async with self._db.connection() as connection:
            reached = {row["partition"]: row["newest"] for row in await connection.fetch(_REACHED, topic)}
            rows = await connection.fetch(_LAST, topic, list(reached), list(reached.values()), UNDER_WAY)
        offsets: defaultdict[int, set[int]] = defaultdict(set)
        for row in rows:
            offsets[row["partition"]].add(row["offset"])
        return {partition: first_hole(offsets[partition], max(0, newest - UNDER_WAY + 1)) for partition, newest in reached.items()}

    async def as_of(self) -> datetime | None:
        """Return when the last thing happened that it knows of."""
        async with self._db.connection() as connection:
            at: datetime | None = await connection.fetchval(_AS_OF)
        return at

    async def restored(self) -> list[Restored]:
        """Return what `restore` restored since the last `rewind`, in order."""
        async with self._db.connection() as connection:
            return [msgspec.json.decode(row["after"], type=Restored) for row in await connection.fetch(_RESTORED)]

    async def waiting(self) -> int:
        """Return how many calls wait for a record in Kafka."""
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(_COUNT_WAITING)
        return count

    async def put_back(self) -> int:
        """Make those calls due, so that the leader publishes them; return how many."""
        async with self._db.connection() as connection:
            count: int = await connection.fetchval(_PUT_BACK)
        return count

    async def results(self, since: datetime) -> AsyncIterator[Sequence[tuple[str, str]]]:
        """Yield the results (call, model version) that were made since then, some hundreds at a time."""
        after = 0
        while True:
            async with self._db.connection() as connection:
                rows = await connection.fetch(_RESULTS, since, after, _AT_ONCE)
            if not rows:
                return
            after = rows[-1]["id"]
            yield [(row["call_id"], row["model_version"]) for row in rows]
