"""`faust -A voc_stream forget | expire | views`: delete customer events, and keep what readers see true to them (docs/voc-storage.md)."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

from voc_stream import topics
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.security.vault import Vault
from voc_stream.services.forgetting import Forgetting, Forgotten
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings

Echo = Callable[[str], None]

_MOST_SHOWN = 50


async def forget(settings: Settings, echo: Echo, *, tenant: str, customer: str | None, yes: bool) -> int:
    """Delete whatever is known of a tenant or a customer; without `yes` only say how much there is.

    Args:
        settings: POSTGRES_DSN, CLICKHOUSE_*, S3_*, PII_KEYS.
        echo: takes each line of the report.
        tenant: whose.
        customer: one customer only.
        yes: do it.

    Returns:
        0.

    Raises:
        LegalHoldError: something of it must be kept; nothing was deleted.
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
    echo(f"call, customer_pii, original_transcript, call_event: {done.calls} calls deleted; S3: {done.objects} versions deleted")
    echo(f"customer_key: {done.keys} keys destroyed; a replay brings nothing back of what happened until now")
    echo("audit_log: written")
    for line in _still_held(settings, done, datetime.now(UTC)):
        echo(line)
    figures = {"events": done.events, "days": done.days, "call_rows": done.call_rows, "composites": done.composites, "letters": done.letters}
    figures |= {"calls": done.calls, "objects": done.objects, "keys": done.keys, "held": len(done.held)}
    echo(f"forget: {' '.join(f'{name}={count}' for name, count in figures.items())}")
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


def _still_held(settings: Settings, done: Forgotten, now: datetime) -> list[str]:
    """Return what no deletion reaches, and until when: object lock, Kafka's retention, backups."""
    lines = [
        f"still held by object lock: {each.key} until {_day(each.until) if each.until else 'its legal hold in S3 is lifted'}" for each in done.held
    ]
    by_seconds: dict[int, list[str]] = {}
    for topic in topics.all_topics(settings):
        if topic.retention_seconds is not None and not topic.name.endswith(("-__leader", topics.VOC_ALERTS, topics.MODEL_VERSION_UPDATED)):
            by_seconds.setdefault(topic.retention_seconds, []).append(topic.name)
    for seconds, names in sorted(by_seconds.items()):
        lines.append(
            f"still held by Kafka until {_day(now + timedelta(seconds=seconds))} at the latest, and not taken from it again: "
            f"{', '.join(sorted(names))}"
        )
    until = now + timedelta(days=settings.backup_retention_days)
    lines.append(f"still held by backups until {_day(until)} (BACKUP_RETENTION_DAYS): those of PostgreSQL have the destroyed keys, too, wrapped")
    return lines


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


@asynccontextmanager
async def _forgetting(settings: Settings) -> AsyncIterator[Forgetting]:
    warehouse, db, objects = Warehouse(settings), Database(settings), ObjectStore(settings)
    try:
        await objects.open()
        async with warehouse.patient() as client:
            yield Forgetting(client, db, Vault(settings.encryption_keys, settings.pii_key_id), actor=getpass.getuser(), objects=objects)
    finally:
        await objects.close()
        await warehouse.close()
        await db.close()
