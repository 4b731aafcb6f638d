"""`faust -A voc_stream dlq list | groups | show | requeue | discard`: dead letters, for the operator (docs/dead-letters.md)."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from voc_stream import requeue as requeueing
from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.clients.postgres import Database
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.runtime.stage import Publishes
from voc_stream.security.vault import Vault
from voc_stream.settings import Settings

Echo = Callable[[str], None]

# Discarded in one transaction; more takes another.
_AT_ONCE = 1000
_CHOOSE = "say which: ids, --fingerprint, --topic, --stage, --tenant, --since or --until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the operator wants.

    Attributes:
        where: which letters.
        limit: how many are listed at most.
        yes: do it; otherwise only count.
        dry_run: tell how they would fare.
        most: how many are sent back, or tried, at most; None: all.
        publisher: sends them.
    """

    where: LetterFilter
    limit: int
    yes: bool
    dry_run: bool = False
    most: int | None = None
    publisher: Publishes | None = None


Action = Callable[[Settings, Echo, Order], Awaitable[int]]


async def list_letters(settings: Settings, echo: Echo, order: Order) -> int:
    """Tell of letters, newest first, a line each; returns 0."""
    async with opened(settings) as letters:
        rows = await letters.find(order.where, order.limit)
        count = await letters.count(order.where)
    for row in rows:
        place = row.topic if row.offset is None else f"{row.topic}[{row.partition}]@{row.offset}"
        whose = f"tenant={row.tenant_id or '?'} call={row.call_id or '?'} {row.fingerprint}"
        echo(printable(f"{row.id} {row.state} {_time(row.last_failed_at)} {place} {row.stage} {row.error_type} {whose} {row.reason}"))
    echo(f"dlq list: letters={count} shown={len(rows)}")
    return 0


async def list_groups(settings: Settings, echo: Echo, order: Order) -> int:
    """Tell of failures, the latest first, a line each; returns 0."""
    async with opened(settings) as letters:
        groups = await letters.groups(order.where, order.limit)
    for group in groups:
        when = f"{_time(group.first)} to {_time(group.last)}"
        counts = f"letters={group.count} open={group.open} tenants={group.tenants}"
        echo(printable(f"{group.fingerprint} {counts} {when} {group.stage} {group.error_type} {group.reason}"))
    echo(f"dlq groups: groups={len(groups)}")
    return 0


async def show(settings: Settings, echo: Echo, order: Order) -> int:
    """Tell all of the letters whose ids are given, original and all; returns 1 if one is not there, 2 without ids. The audit log names who looked."""
    if not order.where.ids:
        echo("say which: ids")
        return 2
    missing = 0
    async with opened(settings) as letters:
        for letter_id in order.where.ids:
            letter = await letters.show(letter_id, actor())
            if letter is None:
                echo(f"{letter_id}: no such letter")
                missing += 1
                continue
            for line in _lines(letter):
                echo(printable(line))
    return 1 if missing else 0


async def discard(settings: Settings, echo: Echo, order: Order) -> int:
    """Mark open letters as discarded; without `yes` only say how many there are. Returns 0, or 2 where the order names nothing."""
    if not order.where.chooses:
        echo(_CHOOSE)
        return 2
    where = order.where
    async with opened(settings) as letters:
        if not order.yes:
            count = await letters.count(replace(where, state="open")) if where.state in (None, "open") else 0
            echo(f"{count} open letters; nothing was discarded: --yes does it")
            return 0
        done = 0
        while now := await letters.discard(where, _AT_ONCE, actor()):
            done += now
    echo(f"dlq discard: letters={done}")
    return 0


async def requeue(settings: Settings, echo: Echo, order: Order) -> int:
    """Send open letters back to their topics, or tell how they would fare; without `yes` only say how many there are.

    Returns:
        0: all that could be; 1: some were left out; 2: the order names nothing.
    """
    if not order.where.chooses:
        echo(_CHOOSE)
        return 2
    if order.where.state not in {None, "open"}:
        echo("only open letters can be sent back")
        return 2

    def tell(line: str) -> None:
        echo(printable(line))

    if order.dry_run:
        return await requeueing.dry_run(settings, tell, order.where, most=order.most)
    if not order.yes or order.publisher is None:
        async with opened(settings) as letters:
            count = await letters.count(replace(order.where, state="open"))
        echo(f"{count} open letters; nothing was sent: --yes does it, --dry-run tells how they would fare")
        return 0
    return await requeueing.requeue(settings, tell, order.where, publisher=order.publisher, actor=actor(), limit=order.most)


ACTIONS: dict[str, Action] = {"list": list_letters, "groups": list_groups, "show": show, "requeue": requeue, "discard": discard}

OPTIONS = (
    click.argument("action", type=click.Choice(list(ACTIONS))),
    click.argument("ids", nargs=-1, type=click.IntRange(min=1)),
    click.option("--fingerprint", help="Only this failure."),
    click.option("--topic", help="Only of this topic (the source, without .dlq)."),
    click.option("--stage", help="Only what this stage gave up."),
    click.option("--tenant", help="Only this tenant's."),
    click.option("--since", type=click.DateTime(), help="Only what failed then (UTC) or later."),
    click.option("--until", type=click.DateTime(), help="Only what failed before then (UTC)."),
    click.option("--state", type=click.Choice(["open", "requeued", "discarded"]), help="Only those."),
    click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Lines at most."),
    click.option("--most", type=click.IntRange(min=1), help="Send back, or try, so many at most."),
    click.option("--dry-run", is_flag=True, help="With requeue: send nothing, tell how they would fare today."),
    click.option("--yes", is_flag=True, help="Do it; otherwise only count."),
)


async def run(
    settings: Settings,
    echo: Echo,
    *,
    action: str,
    since: datetime | None,
    until: datetime | None,
    tenant: str | None,
    limit: int,
    yes: bool,
    most: int | None = None,
    dry_run: bool = False,
    publisher: Publishes | None = None,
    **which: Any,
) -> int:
    """Do what the operator says.

    Args:
        settings: POSTGRES_DSN, PII_KEYS.
        echo: takes each line of the report.
        action: one of `ACTIONS`.
        since: UTC, naive.
        until: UTC, naive.
        tenant: only this one's letters.
        limit: lines at most.
        yes: do it; otherwise only count.
        most: send back, or try, so many at most.
        dry_run: tell how letters would fare.
        publisher: sends them.
        which: further fields of `LetterFilter`.

    Returns:
        The action's.

    Raises:
        OutsideError: a server failed, or a key is missing; the same command may be given again.
    """
    where = LetterFilter(since=_utc(since), until=_utc(until), tenant_id=tenant, **which)
    order = Order(where=where, limit=limit, yes=yes, most=most, dry_run=dry_run, publisher=publisher)
    return await ACTIONS[action](settings, echo, order)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[DeadLetters]:
    """Lend the store."""
    db = Database(settings)
    try:
        yield DeadLetters(db, Vault(settings.encryption_keys, settings.pii_key_id))
    finally:
        await db.close()


def actor() -> str:
    """Return who the audit log names."""
    return f"cli:{getpass.getuser()}"


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: what is in a record was written by others."""
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)


def _lines(letter: StoredLetter) -> list[str]:
    source = letter.topic if letter.offset is None else f"{letter.topic}[{letter.partition}]@{letter.offset}"
    lines = [
        f"letter {letter.id}: {letter.state}",
        f"  source       {source}",
        f"  dead letter  {letter.dlq_topic}[{letter.dlq_partition}]@{letter.dlq_offset}",
        f"  stage        {letter.stage}, {letter.retries} retries",
        f"  failure      {letter.error_type}: {letter.reason}",
        f"  where        {letter.stack or '?'}",
        f"  fingerprint  {letter.fingerprint}",
        f"  failed       {_time(letter.first_failed_at)} to {_time(letter.last_failed_at)}",
        f"  about        tenant={letter.tenant_id or '?'} call={letter.call_id or '?'}",
    ]
    if letter.requeued_from is not None:
        lines.append(f"  sent back    {letter.requeues} times before, the last time from letter {letter.requeued_from}")
    if letter.cut_from is not None:
        lines.append(f"  cut          the original had {letter.cut_from} bytes: it cannot be sent back")
    lines += [f"  header       {name}={_text(value)}" for name, value in letter.headers]
    return [*lines, f"  key          {_text(letter.key)}", f"  value        {_text(letter.value)}"]


def _text(data: bytes | None) -> str:
    return "(none)" if data is None else data.decode("utf-8", "backslashreplace")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
