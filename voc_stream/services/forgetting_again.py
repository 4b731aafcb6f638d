"""Who was forgotten after a backup is forgotten in what was restored of it, before a worker sees it (docs/backup-and-restore.md).

Everything is bounded by the moment of forgetting: what a customer did later is a new customer's.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.call_removal import CallRemoval
from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.forgotten_store import ForgottenStore
from voc_stream.clients.journal import ForgottenEntry
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.voc_minutes import rebuild_minutes
from voc_stream.clients.voc_removal import Selection, VocRemoval
from voc_stream.clients.voc_sums import VocSums
from voc_stream.security.vault import NoKeyError, Vault
from voc_stream.stages.keys import recording_key


@dataclass(slots=True)
class ForgottenAgain:
    """What was done: how many were forgotten, and what went with them."""

    people: int = 0
    events: int = 0
    call_rows: int = 0
    calls: int = 0
    keys: int = 0


class ForgettingAgain:
    """Deletes from what was restored. Its methods raise `OutsideError`s; each may be repeated.

    Args:
        client: of ClickHouse, patient; None where it was not restored.
        db: PostgreSQL's pool.
        postgres: whether PostgreSQL was restored.
        vault: gives customers' pseudonyms.
        objects: S3, open.
        actor: who is to be named in the audit log.
    """

    def __init__(self, client: ClickHouse | None, db: Database, vault: Vault, objects: ObjectStore, actor: str, *, postgres: bool) -> None:
        self._client = client
        self._db = db
        self._postgres = postgres
        self._vault = vault
        self._objects = objects
        self._actor = actor
        self._calls = CallRemoval(db)

    async def forget(self, entries: Collection[ForgottenEntry]) -> ForgottenAgain:
        """Forget all of them again, and write it into the audit log."""
        done = ForgottenAgain()
        for entry in entries:
            calls = set(entry.calls)
            if entry.customer is not None:
                calls |= await self._calls.calls_of(entry.tenant_id, {entry.customer})
            # The events tell which calls were the customer's, so that they go last.
            customers = await self._customers(entry)
            if self._postgres:
                await self._in_postgres(entry, calls, done)
            if self._client is not None:
                await self._in_clickhouse(VocRemoval(self._client), entry, customers, calls, done)
            done.people += 1
            subject = f"tenant {entry.tenant_id}" if entry.customer is None else f"customer {entry.customer}"
            await write_audit(self._db, self._actor, "forgotten again", subject, tenant=entry.tenant_id, after={"until": entry.until.isoformat()})
        if entries and self._client is not None:
            await VocSums(self._client).mend(tenants=sorted({entry.tenant_id for entry in entries}))
            await rebuild_minutes(self._client)
        return done

    async def _customers(self, entry: ForgottenEntry) -> set[str] | None:
        """Return the ids by which restored events know the customer: the journal has the pseudonym only."""
        if entry.customer is None or self._client is None:
            return None
        found = {entry.customer}
        with suppress(NoKeyError):
            for customer in await VocRemoval(self._client).customers_of(entry.tenant_id):
                if self._vault.reference(customer, entry.tenant_id) == entry.customer:
                    found.add(customer)
        return found

    async def _in_postgres(self, entry: ForgottenEntry, calls: set[str], done: ForgottenAgain) -> None:
        tenant, everything = entry.tenant_id, entry.customer is None
        await ForgottenStore(self._db).write_again(tenant, entry.customer, calls, entry.until)
        async for page in self._calls.pages(tenant, None if everything else calls):
            old = {call_id: start for call_id, start in page.items() if start <= entry.until or call_id in entry.calls}
            keys = await self._calls.objects_of(old) | {recording_key(call_id, start) for call_id, start in old.items()}
            await self._calls.delete_composites(tenant, old)
            done.calls += await self._calls.delete_calls(tenant, old)
            await self._objects.delete_versions(keys)
        references = set() if entry.customer is None else {entry.customer}
        await DeadLetters(self._db, self._vault).forget(tenant, None if everything else calls, references)
        owners = None if everything else {*references, *(f"call:{call_id}" for call_id in calls)}
        done.keys += await self._calls.destroy_keys(tenant, owners, entry.until)

    async def _in_clickhouse(
        self, removal: VocRemoval, entry: ForgottenEntry, customers: set[str] | None, calls: set[str], done: ForgottenAgain
    ) -> None:
        spoken = calls if customers is None else calls | await removal.calls_of(entry.tenant_id, customers)
        done.call_rows += await removal.delete_calls(entry.tenant_id, None if entry.customer is None else spoken)
        done.events += await removal.delete(Selection.up_to(entry.until, entry.tenant_id, customers, spoken))
