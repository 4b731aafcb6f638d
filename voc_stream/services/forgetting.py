"""Forgetting a tenant or a customer, and events past their tenant's retention; table and views agree afterwards (docs/privacy.md).

Who is forgotten is written down first, so that no worker brings anything back. What hangs on calls goes next and the events last, because the events
tell which calls they are. Views are made anew where they differ from the table: so whatever an interrupted run left is finished by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.call_removal import CallRemoval
from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.forgotten_store import ForgottenStore
from voc_stream.clients.journal import ForgottenEntry, forgotten_journal
from voc_stream.clients.object_removal import HeldObject
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.restriction_store import RestrictionStore
from voc_stream.clients.voc_minutes import rebuild_minutes
from voc_stream.clients.voc_removal import Selection, VocRemoval
from voc_stream.clients.voc_sums import VocSums
from voc_stream.errors import RejectedError
from voc_stream.logs import get_logger
from voc_stream.security.vault import NoKeyError, Vault
from voc_stream.stages.keys import recording_key
from voc_stream.stages.tenants import Retention
from voc_stream.topics import DEAD_LETTER_SECONDS

logger = get_logger(__name__)

# Workers ask for news every two seconds at most before they store a window; so long one that was read before may take until it is inserted.
HEARD_SECONDS = 5.0

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
        calls: deleted from PostgreSQL, with recordings' rows, results, timelines and personal data.
        objects: versions deleted from S3: recordings and transcripts.
        keys: data keys destroyed.
        held: what object lock holds.
    """

    events: int
    days: int
    call_rows: int = 0
    composites: int = 0
    letters: int = 0
    calls: int = 0
    objects: int = 0
    keys: int = 0
    held: tuple[HeldObject, ...] = ()


class LegalHoldError(RejectedError):
    """Something of it must be kept; nothing was deleted."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("legal hold", f"nothing was deleted, it must be kept: {'; '.join(reasons)}")


class Forgetting:
    """Deletes and makes views anew. Its methods raise `OutsideError`s; each may be repeated.

    Args:
        client: of ClickHouse, with a time-out that suits its largest table.
        db: PostgreSQL's pool.
        vault: gives a customer's pseudonym.
        actor: who is to be named in the audit log.
        objects: S3, open; None where only events expire.
        sleep: how to wait until every worker knows who is forgotten; replaced in tests.
    """

    def __init__(
        self,
        client: ClickHouse,
        db: Database,
        vault: Vault,
        actor: str,
        *,
        objects: ObjectStore | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._db = db
        self._vault = vault
        self._actor = actor
        self._removal = VocRemoval(client)
        self._sums = VocSums(client)
        self._calls = CallRemoval(db)
        self._letters = DeadLetters(db, vault)
        self._objects = objects
        self._sleep = sleep
        self._forgotten = ForgottenStore(db)
        self._restrictions = RestrictionStore(db)

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
            calls = await self._removal.calls_of(tenant, references) | await self._calls.calls_of(tenant, references)
            calls |= await self._forgotten.calls_of(tenant, references)
            selection = Selection.of_customer(tenant, references, calls)
        letters = await self._letters.count_of(tenant, calls, references)
        return Found(selection, calls, references, await self._removal.count(selection), letters)

    async def forget(self, tenant: str, customer: str | None) -> Forgotten:
        """Delete whatever is known of a tenant or customer, and see to it that a replay does not bring it back; see `find`.

        Raises:
            LegalHoldError: something of it must be kept; nothing was deleted.
            OutsideError: a server failed; what was begun is finished by doing it again.
        """
        found = await self.find(tenant, customer)
        await self._refuse_held(tenant, found)
        subject = f"tenant {tenant}" if customer is None else f"customer {self._reference(tenant, customer)}"
        await write_audit(self._db, self._actor, "forget begun", subject, tenant=tenant, after={"events": found.events})
        reference = None if customer is None else self._reference(tenant, customer)
        if self._objects is not None:
            # Before anything goes: a database that is restored as it was before knows nothing of this.
            entry = ForgottenEntry(tenant, reference, tuple(sorted(found.calls or ())), datetime.now(UTC))
            await forgotten_journal(self._objects).write(entry, entry.until)
        await self._forgotten.write(tenant, reference, found.calls or ())
        await self._sleep(HEARD_SECONDS)
        calls, objects, held, keys = await self._forget_calls(tenant, found)
        letters = await self._letters.forget(tenant, found.calls, found.references)
        composites = await self._calls.delete_composites(tenant, found.calls)
        call_rows = await self._removal.delete_calls(tenant, found.calls)
        events = await self._removal.delete(found.selection)
        # A window that was under way when it was written down, and a score that came meanwhile has looked its call's sentiment up in the events.
        events += await self._removal.delete(found.selection)
        composites += await self._calls.delete_composites(tenant, found.calls)
        call_rows += await self._removal.delete_calls(tenant, found.calls)
        days = await self._sums.mend(tenants=[tenant])
        await rebuild_minutes(self._client)
        forgotten = Forgotten(events, len(days), call_rows, composites, letters, calls, objects, keys, held)
        after = {name: value for name, value in asdict(forgotten).items() if name != "held"} | {"held": len(held)}
        await write_audit(self._db, self._actor, "forgotten", subject, tenant=tenant, after=after)
        return forgotten

    async def _refuse_held(self, tenant: str, found: Found) -> None:
        everything = found.calls is None
        reasons = await self._restrictions.holds(tenant, customers=found.references, calls=found.calls or (), whole_tenant=everything)
        if reasons:
            raise LegalHoldError(reasons)

    async def _forget_calls(self, tenant: str, found: Found) -> tuple[int, int, tuple[HeldObject, ...], int]:
        """Delete calls, their objects, and last the keys: return how many of each, and what object lock holds."""
        calls = objects = 0
        held: list[HeldObject] = []
        owners = None if found.calls is None else {*found.references, *(f"call:{call_id}" for call_id in found.calls)}
        async for page in self._calls.pages(tenant, found.calls):
            keys = await self._calls.objects_of(page) | {recording_key(call_id, started_at) for call_id, started_at in page.items()}
            # Rows first: a stage that is at work on a call finds it gone, and removes what it stores.
            calls += await self._calls.delete_calls(tenant, page)
            if self._objects is not None:
                removed = await self._objects.delete_versions(keys)
                objects, held = objects + removed.versions, [*held, *removed.held]
        return calls, objects, tuple(held), await self._calls.destroy_keys(tenant, owners)

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
        held = await self._restrictions.held_tenants()
        for row in await self._client.query(_OLDEST):
            days = retention.of(row["tenant_id"])
            if row["tenant_id"] in held:
                logger.info("nothing expires of a tenant while something of it is under legal hold", tenant_id=row["tenant_id"])
            elif days is not None and row["oldest"] <= today - timedelta(days=days):
                expired.setdefault(days, []).append(row["tenant_id"])
        return expired

    def _reference(self, tenant: str, customer: str) -> str:
        # Without a key no pseudonym was ever stored.
        with suppress(NoKeyError):
            return self._vault.reference(customer, tenant)
        return "(no key)"
