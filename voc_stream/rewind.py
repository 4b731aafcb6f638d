"""`faust -A voc_stream rewind`: set the group's offsets back to what the databases hold, after one was restored (docs/backup-and-restore.md)."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Sequence

import click

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.group_offsets import GroupOffsets
from voc_stream.clients.postgres import Database
from voc_stream.clients.restored_places import CallsPlace, EventsPlace
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.kit import Kit
from voc_stream.runtime.stage import Publishes
from voc_stream.services.dead_letters import GROUP_SUFFIX
from voc_stream.services.rewinding import Plan, Rewinding
from voc_stream.settings import Settings
from voc_stream.stages.rewinding import Move
from voc_stream.topics import CALLS_RAW

Echo = Callable[[str], None]

# Questions over whole tables take longer than POSTGRES_TIMEOUT_SECONDS.
_PATIENCE_SECONDS = 3600.0
_MOST_SHOWN = 200

OPTIONS = (
    click.option("--restored", multiple=True, type=click.Choice(["postgres", "clickhouse"]), help="It was, by other means than `restore`."),
    click.option("--yes", is_flag=True, help="Do it; otherwise only tell."),
)


async def run(settings: Settings, echo: Echo, *, kit: Kit, publisher: Publishes, restored: Sequence[str], yes: bool) -> int:
    """Compare the databases with the group's offsets; with `yes` set these back, and tell ClickHouse what only PostgreSQL has.

    Args:
        settings: KAFKA_*, POSTGRES_DSN, CLICKHOUSE_*.
        echo: takes each line of the report.
        kit: its clients are closed here.
        publisher: takes the ledger's rows.
        restored: databases that `restore` does not know to have been restored.
        yes: do it.

    Returns:
        0: done, or nothing to do; 1: without `yes`, there is something to do.

    Raises:
        OutsideError: workers are in the group, or a server failed; the same command goes on.
    """
    groups = [GroupOffsets(settings, f"{settings.kafka_group_id}{suffix}") for suffix in ("", GROUP_SUFFIX)]
    for group in groups:
        await group.refuse_members()
    db = Database(settings.model_copy(update={"postgres_timeout_seconds": _PATIENCE_SECONDS}))
    try:
        async with kit.warehouse.patient() as client, TopicReader(settings) as reader:
            rewinding = Rewinding(
                events=EventsPlace(client, settings.kafka_incarnation),
                calls=CallsPlace(db),
                warehouse=kit.warehouse,
                store=CallStore(db, kit.vault, settings),
                composite=kit.composite,
                publisher=publisher,
                reader=reader,
                settings=settings,
            )
            plan = await rewinding.plan(restored)
            told(plan, echo)
            if not plan.restored:
                echo("rewind: `restore` restored nothing since the last rewind; --restored names what was restored by other means")
                return 0
            if plan.nothing:
                echo(f"{' and '.join(sorted(plan.restored))}: as far as the group")
            if not yes:
                echo("nothing was changed: --yes does it")
                return 1
            if plan.wait > 0:
                echo(f"waiting {plan.wait:.0f} s: younger windows would be sent under tokens that a restored ClickHouse does not know")
                await asyncio.sleep(plan.wait)
            await _do(rewinding, plan, groups, db, echo)
    finally:
        for closing in (kit.warehouse, kit.db, db):
            await closing.close()
    return 0


def told(plan: Plan, echo: Echo) -> None:
    """Tell what would be done, a line a partition, lost ones by name."""
    every = [*plan.events, *plan.calls]
    for move in every[:_MOST_SHOWN]:
        before = "no offset" if move.committed is None else str(move.committed)
        echo(f"{move.topic}[{move.partition}]: from {before} to {move.to}, {move.again} offsets are read again")
    if len(every) > _MOST_SHOWN:
        echo(f"{len(every) - _MOST_SHOWN} more partitions are not shown")
    for move in every:
        if move.lost:
            echo(_lost(move))
    for topic, partition in plan.untold:
        echo(f"{topic}[{partition}]: left as it is, ClickHouse holds another KAFKA_INCARNATION of it only")
    if "postgres" in plan.restored:
        echo(f"published again, because their records are behind the group: {plan.waiting} calls; dead letters of {len(plan.letters)} partitions")


def _lost(move: Move) -> str:
    gone = f"{move.topic}[{move.partition}]: offsets {move.lost_from} to {move.lost_to - 1} are in no database and gone from Kafka"
    if move.topic == CALLS_RAW:
        return f"{gone}; the poller asks the recorder for calls from where PostgreSQL stands"
    return f"{gone}: {move.lost} events are lost, at most"


async def _do(rewinding: Rewinding, plan: Plan, groups: Sequence[GroupOffsets], db: Database, echo: Echo) -> None:
    workers, letters = groups
    results = await rewinding.fill()
    put_back = await rewinding.calls.put_back() if "postgres" in plan.restored else 0
    # Before the offsets: with these alone a window would be formed again as it was, each of its rows looked for, its days' sums made anew.
    await rewinding.publisher.publish(await rewinding.ledger(plan.events))
    moved = {(move.topic, move.partition): move.to for move in (*plan.events, *plan.calls)}
    await workers.set(moved)
    await letters.set(plan.letters)
    events, calls = sum(move.again for move in plan.events), sum(move.again for move in plan.calls)
    lost = sum(move.lost for move in (*plan.events, *plan.calls))
    after = {"events_again": events, "calls_again": calls, "lost": lost, "results": results, "put_back": put_back}
    await write_audit(db, f"cli:{getpass.getuser()}", "rewound", workers.group, tenant=None, after=after)
    echo(f"rewind: partitions={len(moved)} {' '.join(f'{name}={count}' for name, count in after.items())}")
    echo("next: start the workers; when the lag is 0, faust -A voc_stream reconcile --hours 168 --redrive")
