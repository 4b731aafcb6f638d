"""`faust -A voc_stream forget | expire | views`: delete customer events, and keep what readers see true to them (docs/voc-storage.md)."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.postgres import Database
from voc_stream.security.vault import Vault
from voc_stream.services.forgetting import Forgetting
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings

Echo = Callable[[str], None]

_MOST_SHOWN = 50


async def forget(settings: Settings, echo: Echo, *, tenant: str, customer: str | None, yes: bool) -> int:
    """Delete a tenant's or a customer's events that are stored now; without `yes` only say how many there are.

    Args:
        settings: POSTGRES_DSN, CLICKHOUSE_*, PII_KEYS.
        echo: takes each line of the report.
        tenant: whose.
        customer: one customer only.
        yes: do it.

    Returns:
        0.

    Raises:
        OutsideError: a server failed; what was begun is finished by the same command.
    """
    whose = f"tenant {tenant}" if customer is None else f"that customer of tenant {tenant}"
    async with _forgetting(settings) as forgetting:
        found = await forgetting.find(tenant, customer)
        calls = "all calls" if found.calls is None else f"{len(found.calls)} calls"
        echo(f"{whose}: {found.events} events, {calls}, {found.letters} dead letters")
        if not yes:
            echo("nothing was deleted: --yes does it")
            return 0
        done = await forgetting.forget(tenant, customer)
    echo(f"voc_events: {done.events} events deleted")
    echo(f"views: {done.days} days made anew, and now as the events say")
    echo(f"call_scores, call_composite: {done.call_rows} rows deleted, and {done.composites} in PostgreSQL")
    echo(f"dead_letter: {done.letters} rows deleted")
    echo("audit_log: written")
    echo(f"forget: events={done.events} days={done.days} call_rows={done.call_rows} composites={done.composites} letters={done.letters}")
    return 0


async def expire(settings: Settings, echo: Echo) -> int:
    """Delete the events that are older than [retention_days] of the tenants file says, and dead letters older than 30 days, as the leader does.

    Args:
        settings: TENANTS_FILE, POSTGRES_DSN, CLICKHOUSE_*.
        echo: takes each line of the report.

    Returns:
        0.

    Raises:
        OutsideError: a server failed; what was begun is finished by the same command.
    """
    retention = TenantsFile(settings.tenants_file).current().retention
    today = datetime.now(UTC).date()
    async with _forgetting(settings) as forgetting:
        done = await forgetting.expire(retention, today)
        letters = await forgetting.expire_letters(today)
    for whose, gone in done.items():
        echo(f"{whose}: {gone.events} events deleted, {gone.days} days of views made anew")
    echo(f"expire: events={sum(gone.events for gone in done.values())} letters={letters}")
    return 0


async def views(settings: Settings, echo: Echo, *, days: Collection[date], mend: bool) -> int:
    """Compare the views with the events, and with `mend` make those days anew on which they differ.

    Args:
        settings: CLICKHOUSE_*.
        echo: takes each line of the report.
        days: only these (UTC); none: all.
        mend: whether to mend.

    Returns:
        0: they agree; 1: they differ.

    Raises:
        OutsideError: ClickHouse failed.
    """
    warehouse = Warehouse(settings)
    try:
        differences = await warehouse.view_differences(days)
        for each in differences[:_MOST_SHOWN]:
            echo(f"{each.tenant_id} {each.day} by {each.by}: {each.keys} sums differ, table {each.table_events} events, view {each.view_events}")
        if mend and differences:
            found = {each.day for each in differences}
            await warehouse.rebuild_views(found, {each.tenant_id for each in differences})
            echo(f"{len(found)} days made anew")
            differences = await warehouse.view_differences(days)
    finally:
        await warehouse.close()
    echo(f"views: differences={len(differences)}")
    return 1 if differences else 0


@asynccontextmanager
async def _forgetting(settings: Settings) -> AsyncIterator[Forgetting]:
    warehouse, db = Warehouse(settings), Database(settings)
    try:
        async with warehouse.patient() as client:
            yield Forgetting(client, db, Vault(settings.encryption_keys, settings.pii_key_id), actor=getpass.getuser())
    finally:
        await warehouse.close()
        await db.close()
