"""Forgetting events: a tenant's, a customer's, or those past their tenant's retention; table and views agree afterwards (docs/voc-storage.md).

What hangs on calls goes first and the events last, because the events tell which calls they are. Views are made anew where they differ from the
table: so whatever an interrupted run left is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.call_removal import CallRemoval
from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.postgres import Database
from voc_stream.clients.voc_minutes import rebuild_minutes
from voc_stream.clients.voc_removal import Selection, VocRemoval
from voc_stream.clients.voc_sums import VocSums
from voc_stream.security.vault import NoKeyError, Vault
from voc_stream.stages.tenants import Retention
from voc_stream.topics import DEAD_LETTER_SECONDS

_OLDEST = "SELECT tenant_id, toDate(min(at)) AS oldest FROM voc_sums WHERE by = 'day' AND events > 0 GROUP BY tenant_id ORDER BY tenant_id"
# `voc_minutes` holds no more.
_MINUTES_KEPT_DAYS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What is there to be forgotten.

    Attributes:
        selection: the events.
        calls: their calls; None: all of the tenant's.
        references: what else may stand for the customer in PostgreSQL.
        events: how many.
        letters: stored dead letters that are known to be about them.
    """

    selection: Selection
    calls: set[str] | None
    references: set[str]
    events: int
    letters: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done.

    Attributes:
        events: deleted from `voc_events`.
        days: whose views were made anew.
        call_rows: deleted from `call_scores` and `call_composite`, in ClickHouse.
        composites: deleted from `call_composite` in PostgreSQL.
        letters: deleted from `dead_letter`.
    """

    events: int
    days: int
    call_rows: int = 0
    composites: int = 0
    letters: int = 0


class Forgetting:
    """Deletes and makes views anew. Its methods raise `OutsideError`s; each may be repeated.

    Args:
        client: of ClickHouse, with a time-out that suits its largest table.
        db: PostgreSQL's pool.
        vault: gives a customer's pseudonym.
        actor: who is to be named in the audit log.
    """

    def __init__(self, client: ClickHouse, db: Database, vault: Vault, actor: str) -> None:
        self._client = client
        self._db = db
        self._vault = vault
        self._actor = actor
        self._removal = VocRemoval(client)
        self._sums = VocSums(client)
        self._calls = CallRemoval(db)
        self._letters = DeadLetters(db, vault)

    async def find(self, tenant: str, customer: str | None) -> Found:
        """Return what `forget` would delete.

        Args:
            tenant: whose.
            customer: one customer only: the id that events carry, or the other party that the recorder told.
        """
        if customer is None:
            selection, calls, references = Selection.of_tenant(tenant), None, set[str]()
        else:
            references = {customer, self._reference(tenant, customer)}
            calls = await self._removal.calls_of(tenant, customer) | await self._calls.calls_of(tenant, references)
            selection = Selection.of_customer(tenant, customer, calls)
        letters = await self._letters.count_of(tenant, calls, references)
        return Found(selection, calls, references, await self._removal.count(selection), letters)

    async def forget(self, tenant: str, customer: str | None) -> Forgotten:
        """Delete the events of a tenant or customer that are stored now, and the scores of their calls; see `find`."""
        found = await self.find(tenant, customer)
        subject = f"tenant {tenant}" if customer is None else f"customer {self._reference(tenant, customer)}"
        await write_audit(self._db, self._actor, "forget begun", subject, tenant=tenant, after={"events": found.events})
        letters = await self._letters.forget(tenant, found.calls, found.references)
        composites = await self._calls.delete_composites(tenant, found.calls)
        call_rows = await self._removal.delete_calls(tenant, found.calls)
        events = await self._removal.delete(found.selection)
        # A score that came meanwhile has looked its call's sentiment up in the events.
        composites += await self._calls.delete_composites(tenant, found.calls)
        call_rows += await self._removal.delete_calls(tenant, found.calls)
        days = await self._sums.mend(tenants=[tenant])
        await rebuild_minutes(self._client)
        forgotten = Forgotten(events, len(days), call_rows, composites, letters)
        await write_audit(self._db, self._actor, "forgotten", subject, tenant=tenant, after=asdict(forgotten))
        return forgotten

    async def expire(self, retention: Retention, today: date) -> dict[str, Forgotten]:
        """Delete the events that are older than their tenants keep them.

        Args:
            retention: days by tenant.
            today: in UTC; of `days` days the last one.

        Returns:
            What was deleted, by the number of days and the tenants that keep so many.
        """
        done: dict[str, Forgotten] = {}
        for days, tenants in (await self._expired(retention, today)).items():
            first = today - timedelta(days=days - 1)
            events = await self._removal.delete(Selection.before(first, tenants))
            mended = await self._sums.mend(tenants=tenants)
            if days <= _MINUTES_KEPT_DAYS:
                await rebuild_minutes(self._client)
            forgotten = Forgotten(events, len(mended))
            for tenant in tenants:
                after = asdict(forgotten) | {"tenants": len(tenants), "before": first.isoformat()}
                await write_audit(self._db, self._actor, "expired", f"events kept for {days} days", tenant=tenant, after=after)
            done[f"{days} days: {', '.join(tenants)}"] = forgotten
        return done

    async def expire_letters(self, today: date) -> int:
        """Delete the dead letters that Kafka has deleted by now, whosever they are; return how many."""
        now = datetime.combine(today, time(), UTC)
        return await self._letters.expire(now - timedelta(seconds=DEAD_LETTER_SECONDS))

    async def _expired(self, retention: Retention, today: date) -> Mapping[int, Collection[str]]:
        """Return the tenants that have days to delete, by how many days they keep."""
        expired: dict[int, list[str]] = {}
        for row in await self._client.query(_OLDEST):
            days = retention.of(row["tenant_id"])
            if days is not None and row["oldest"] <= today - timedelta(days=days):
                expired.setdefault(days, []).append(row["tenant_id"])
        return expired

    def _reference(self, tenant: str, customer: str) -> str:
        # Without a key no pseudonym was ever stored.
        with suppress(NoKeyError):
            return self._vault.reference(customer, tenant)
        return "(no key)"
