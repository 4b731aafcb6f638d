"""`faust -A voc_stream pause | resume | pauses`: what stands still by an operator's order (docs/pausing.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection

import click

from voc_stream.clients.pause_store import PauseStore
from voc_stream.clients.postgres import Database
from voc_stream.dlq import actor
from voc_stream.settings import Settings
from voc_stream.stages.pause_orders import EVERY, PauseOrder

Echo = Callable[[str], None]

OPTIONS = (
    click.option("--stage", help="Only this one: dedup, enrich, download, score, export or voc."),
    click.option("--tenant", help="Only this tenant's records; without --stage in all stages."),
    click.option("--reason", default="", help="Why, for the audit log and /readyz."),
)


async def order(settings: Settings, echo: Echo, *, stages: Collection[str], paused: bool, stage: str | None, tenant: str | None, reason: str) -> int:
    """Pause a stage or a tenant, or let it go on; workers follow within seconds.

    Args:
        settings: POSTGRES_DSN.
        echo: takes each line of the report.
        stages: the names that there are.
        paused: whether to pause.
        stage: its name; None: every one.
        tenant: whose records; None: the stage as a whole.
        reason: the operator's own words.

    Returns:
        0; 2 where neither or an unknown stage is named.

    Raises:
        OutsideError: PostgreSQL failed; nothing was ordered.
    """
    if stage is None and tenant is None:
        echo("name a stage (--stage), a tenant (--tenant) or both")
        return 2
    if stage is not None and stage not in stages:
        echo(f"there is no stage {stage!r}: {', '.join(sorted(stages))}")
        return 2
    db = Database(settings)
    try:
        written = await PauseStore(db).order(stage or EVERY, tenant or EVERY, actor(), paused=paused, reason=reason)
    finally:
        await db.close()
    echo(describe(written))
    return 0


async def show(settings: Settings, echo: Echo) -> int:
    """Tell of what stands still by an operator's order; what stages paused by themselves each worker tells (`/readyz`, `/pauses`).

    Args:
        settings: POSTGRES_DSN.
        echo: takes each line of the report.

    Returns:
        0.

    Raises:
        OutsideError: PostgreSQL failed.
    """
    db = Database(settings)
    try:
        paused = [each for each in await PauseStore(db).read() if each.paused]
    finally:
        await db.close()
    for each in paused:
        echo(describe(each))
    echo(f"pauses: paused={len(paused)}")
    return 0


def describe(order: PauseOrder) -> str:
    """Return a line about an order."""
    reason = f" ({order.reason})" if order.reason else ""
    return f"{order.subject}: {'paused' if order.paused else 'resumed'} by {order.actor} at {order.changed_at:%Y-%m-%d %H:%M:%S}{reason}"
