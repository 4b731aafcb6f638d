"""Deleting customer events and what belongs to their calls from ClickHouse (docs/voc-storage.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

from voc_stream.clients.clickhouse_client import ClickHouse

# Finished when it returns; one that was cut off goes on in the server by itself.
_DONE = "SETTINGS mutations_sync = 1"
_CALL_TABLES = ("call_scores", "call_composite")
_CALLS = "SELECT DISTINCT call_id FROM voc_events WHERE tenant_id = {tenant:String} AND customer_id IN {customers:Array(String)} AND call_id != ''"
_CUSTOMERS = "SELECT DISTINCT customer_id FROM voc_events WHERE tenant_id = {tenant:String} AND customer_id != ''"
_COORDINATES = "kafka_incarnation, kafka_topic, kafka_partition, kafka_offset"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events: a condition over `voc_events`, and its parameters."""

    condition: str
    parameters: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of_tenant(cls, tenant: str) -> Self:
        """All of a tenant's."""
        return cls("tenant_id = {tenant:String}", {"tenant": tenant})

    @classmethod
    def of_customer(cls, tenant: str, customers: Collection[str], calls: Collection[str]) -> Self:
        """A customer's, by any of the ids that stand for it, and whatever else happened in the customer's calls."""
        mine = "tenant_id = {tenant:String} AND (customer_id IN {customers:Array(String)} OR call_id IN {calls:Array(String)})"
        return cls(mine, {"tenant": tenant, "customers": list(customers), "calls": list(calls)})

    @classmethod
    def up_to(cls, until: datetime, tenant: str, customers: Collection[str] | None, calls: Collection[str]) -> Self:
        """What `of_customer` selects, or (None) `of_tenant`, of what happened up to a time; the customer's calls whenever they were."""
        tenants, then = "tenant_id = {tenant:String}", "ts <= {until:DateTime64(3, 'UTC')}"
        given = {"tenant": tenant, "until": until}
        if customers is None:
            return cls(f"{tenants} AND {then}", given)
        mine = "((customer_id IN {customers:Array(String)} AND " + then + ") OR call_id IN {calls:Array(String)})"
        return cls(f"{tenants} AND {mine}", {**given, "customers": list(customers), "calls": list(calls)})

    @classmethod
    def before(cls, day: date, tenants: Collection[str]) -> Self:
        """Some tenants' events from before a day (UTC)."""
        return cls("tenant_id IN {tenants:Array(String)} AND ts < toDateTime({day:Date}, 'UTC')", {"tenants": list(tenants), "day": day})


class VocRemoval:
    """Deletes. Its methods raise `OutsideError`s; each can be repeated.

    Args:
        client: with a time-out that suits a mutation of the largest table.
    """

    def __init__(self, client: ClickHouse) -> None:
        self._client = client

    async def calls_of(self, tenant: str, customers: Collection[str]) -> set[str]:
        """Return the ids of the calls in which the customer spoke, as far as events tell."""
        rows = await self._client.query(_CALLS, {"tenant": tenant, "customers": list(customers)})
        return {row["call_id"] for row in rows}

    async def customers_of(self, tenant: str) -> list[str]:
        """Return the ids of customers that a tenant's events carry."""
        return [row["customer_id"] for row in await self._client.query(_CUSTOMERS, {"tenant": tenant})]

    async def count(self, selection: Selection) -> int:
        """Return how many events are selected."""
        statement = f"SELECT toInt64(count()) AS events FROM voc_events WHERE {selection.condition}"  # noqa: S608 - our own condition
        (row,) = await self._client.query(statement, selection.parameters)
        events: int = row["events"]
        return events

    async def delete(self, selection: Selection) -> int:
        """Delete the selected events, after noting where in Kafka they lay; the views still count them. Return how many."""
        events = await self.count(selection)
        if events:
            where = selection.condition
            noted = f"INSERT INTO voc_forgotten ({_COORDINATES}) SELECT {_COORDINATES} FROM voc_events WHERE {where}"  # noqa: S608
            await self._client.command(noted, selection.parameters)
            await self._client.command(f"ALTER TABLE voc_events DELETE WHERE {where} {_DONE}", selection.parameters)
        return events

    async def delete_calls(self, tenant: str, calls: Collection[str] | None) -> int:
        """Delete scores and composite scores of a tenant's calls; return how many rows.

        Args:
            tenant: whose.
            calls: which; None: all of the tenant's.
        """
        where = "tenant_id = {tenant:String}" + (" AND call_id IN {calls:Array(String)}" if calls is not None else "")
        parameters = {"tenant": tenant} | ({"calls": list(calls)} if calls is not None else {})
        deleted = 0
        for table in _CALL_TABLES:
            (row,) = await self._client.query(f"SELECT toInt64(count()) AS found FROM {table} WHERE {where}", parameters)  # noqa: S608
            if row["found"]:
                await self._client.command(f"ALTER TABLE {table} DELETE WHERE {where} {_DONE}", parameters)
            deleted += row["found"]
        return deleted
