"""Holds the table, the views and the dead letters against what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.chaos.sending import Place, Sent
from benchmarks.voc_events import event_id
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.devstack.audit import read_all
from voc_stream.runtime.dead_letter import PREFIX
from voc_stream.settings import Settings

_COLUMNS = "tenant_id, by, at, key, event_type"
_SUMS = ("events", "scored", "sentiment_sum", "positive", "negative", "complaints")
_VIEWS_COUNT = "SELECT sum(events) AS events FROM voc_sums WHERE by = 'hour' AND startsWith(tenant_id, {tenants:String})"
_DIFFERENCES = f"""
SELECT {_COLUMNS}, {", ".join(f"sum(toDecimal128({name}, 6) * sign) AS {name}_off" for name in _SUMS)}
FROM (
    SELECT {_COLUMNS}, {", ".join(_SUMS)}, 1 AS sign FROM voc_sums WHERE startsWith(tenant_id, {{tenants:String}})
    UNION ALL
    SELECT {_COLUMNS}, {", ".join(_SUMS)}, -1 AS sign FROM voc_event_sums WHERE startsWith(tenant_id, {{tenants:String}})
)
GROUP BY {_COLUMNS}
HAVING {" OR ".join(f"{name}_off != 0" for name in _SUMS)}
"""  # noqa: S608 - names of our own


@dataclass(slots=True)
class Count:
    """What was found.

    Attributes:
        lost: numbered events without a row.
        duplicated: rows beyond one of an event.
        dead_lettered: records of which there is a dead letter, each once.
        problems: every place that does not agree, a sentence each.
    """

    sent: int
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    dead_lettered: int = 0
    kills: int = 0
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the run's last line."""
        return (
            f"chaos-voc: sent={self.sent} stored={self.stored} lost={self.lost} duplicated={self.duplicated} "
            f"dead_lettered={self.dead_lettered} kills={self.kills}"
        )


async def count_all(settings: Settings, tenants: str, topics: Sequence[str], events: int, sent: Sent) -> Count:
    """Count every place.

    Args:
        settings: what leads to the servers themselves, not through the proxy.
        tenants: what the names of the run's tenants begin with.
        topics: where the events were sent.
        events: how many numbered ones there are.
        sent: what was sent.
    """
    count = Count(sent.numbers)
    if sent.numbers != events:
        count.problems.append(f"only {sent.numbers} of {events} events were sent")
    warehouse = Warehouse(settings)
    try:
        await _count_table(warehouse, tenants, events, count)
        await _count_views(warehouse, tenants, count)
    finally:
        await warehouse.close()
    await _count_dead_letters(settings, topics, sent, count)
    return count


async def _count_table(warehouse: Warehouse, tenants: str, events: int, count: Count) -> None:
    rows = await warehouse.query(
        "SELECT toString(event_id) AS id, count() AS n FROM voc_events WHERE startsWith(tenant_id, {tenants:String}) GROUP BY event_id",
        {"tenants": tenants},
    )
    hold_against(Counter({row["id"]: int(row["n"]) for row in rows}), events, count)


def hold_against(found: Counter[str], events: int, count: Count) -> None:
    """Count what is lost, and what is too many.

    Args:
        found: rows by event id.
        events: how many numbered ones there must be.
        count: takes what is found out.
    """
    expected = {event_id(number).decode() for number in range(events)}
    count.stored = len(found)
    count.lost = len(expected - found.keys())
    count.duplicated = found.total() - len(found)
    strange = found.keys() - expected
    if count.lost or count.duplicated:
        count.problems.append(f"the table: {count.lost} events are lost, {count.duplicated} rows are too many")
    if strange:
        count.problems.append(f"the table has {len(strange)} events that nobody sent")


async def _count_dead_letters(settings: Settings, topics: Sequence[str], sent: Sent, count: Count) -> None:
    """Delivery of a dead letter is at least once, so that letters are counted by the record that they are about."""
    found: set[Place] = set()
    letters = 0
    for topic in topics:
        for letter in await read_all(settings, f"{topic}.dlq"):
            about = {name.removeprefix(PREFIX): value.decode() for name, value in letter.headers if name.startswith(PREFIX)}
            found.add((about["topic"], int(about["partition"]), int(about["offset"])))
            letters += 1
    count.dead_lettered = len(found)
    if found != sent.poison:
        count.problems.append(f"dead letters: {len(sent.poison - found)} are missing, {len(found - sent.poison)} are about good records")


async def _count_views(warehouse: Warehouse, tenants: str, count: Count) -> None:
    """Hold every sum against the table's, by the view that says what it must be."""
    where = {"tenants": tenants}
    (counted,) = await warehouse.query(_VIEWS_COUNT, where)
    if counted["events"] != count.stored:
        count.problems.append(f"the views: they count {counted['events']} events, the table has {count.stored}")
    different = await warehouse.query(_DIFFERENCES, where)
    if different:
        count.problems.append(f"the views: {len(different)} sums differ from the table, such as {different[0]}")
