"""`faust -A voc_stream dlq requeue`, and `--dry-run`: dead letters go back, or what would become of them (docs/dead-letters.md)."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

from voc_stream.clients.dead_letter_store import DeadLetters
from voc_stream.clients.letter_rows import LetterFilter
from voc_stream.clients.postgres import Database
from voc_stream.clients.requeue_store import RequeueStore
from voc_stream.clients.topic_load import topic_loads
from voc_stream.runtime.stage import Publishes
from voc_stream.security.vault import Vault
from voc_stream.services.dry_run import DryRun, Findings
from voc_stream.services.requeue import Requeued, Requeuer
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.services.trial import Trials
from voc_stream.settings import Settings

Echo = Callable[[str], None]

_TELL_SECONDS = 5.0


async def requeue(settings: Settings, echo: Echo, where: LetterFilter, *, publisher: Publishes, actor: str, limit: int | None) -> int:
    """Send open letters back to their topics; Ctrl-C and SIGTERM end it between two batches.

    Args:
        settings: DLQ_*, KAFKA_*, POSTGRES_DSN, PII_KEYS.
        echo: takes each line of the report.
        where: which letters.
        publisher: takes the records.
        actor: for the audit log.
        limit: how many at most.

    Returns:
        0: all were sent that could be; 1: some were left out, with the reason, or it was ended early.

    Raises:
        OutsideError: a server failed; the same command goes on.
    """
    stopped = asyncio.Event()
    async with _database(settings) as db, topic_loads(settings) as loads:
        requeuer = Requeuer(
            letters=DeadLetters(db, _vault(settings)),
            store=RequeueStore(db),
            publisher=publisher,
            loads=loads,
            settings=settings,
            sleep=lambda seconds: _unless(stopped, seconds),
        )
        with _ended_by_signals(stopped):
            async with aclosing(requeuer.run(where, actor=actor, limit=limit)) as steps:
                done = await _told(steps, echo, stopped)
    for why, count in done.left_out.most_common():
        echo(f"left open: {count}, {why}")
    echo(_line(done))
    return 1 if done.left_out or stopped.is_set() else 0


async def dry_run(settings: Settings, echo: Echo, where: LetterFilter, *, most: int | None) -> int:
    """Tell how open letters would fare today.

    Args:
        settings: DLQ_MAX_REQUEUES, KAFKA_TOPICS, TENANTS_*, POSTGRES_DSN, PII_KEYS.
        echo: takes each line of the report.
        where: which letters.
        most: how many at most.

    Returns:
        0.

    Raises:
        OutsideError: PostgreSQL failed, or a key is missing.
    """
    found = Findings()
    told = time.monotonic()
    async with _database(settings) as db:
        trials = Trials(settings, TenantsFile(settings.tenants_file).current)
        trial = DryRun(letters=DeadLetters(db, _vault(settings)), trials=trials, most_requeues=settings.dlq_max_requeues)
        async for found in trial.run(where, limit=most):
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                echo(f"dlq dry run: letters={found.total('letters')} so far")
    for group in found.groups.values():
        counts = f"letters={group.letters} pass={group.passes} fail={group.fails} unknown={group.unknown} barred={group.barred}"
        echo(f"{group.fingerprint} {counts} {group.stage} {group.error_type} {group.reason}")
        for reason, count in group.today.most_common():
            echo(f"    today: {count} {reason}")
    total = found.total
    sums = f"pass={total('passes')} fail={total('fails')} unknown={total('unknown')} barred={total('barred')}"
    echo(f"dlq dry run: letters={total('letters')} {sums}" + ("" if found.complete else " (there are more)"))
    return 0


async def _told(steps: AsyncIterator[Requeued], echo: Echo, stopped: asyncio.Event) -> Requeued:
    """Go through the steps, and tell how far they are every few seconds."""
    done = Requeued(0)
    told = time.monotonic()
    async for done in steps:
        if stopped.is_set():
            break
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            echo(_line(done) + (f" waiting: {done.waiting}" if done.waiting else ""))
    return done


def _line(done: Requeued) -> str:
    return f"dlq requeue: chosen={done.chosen} sent={done.sent} along={done.along} left_open={done.left_out.total()}"


async def _unless(stopped: asyncio.Event, seconds: float) -> None:
    """Wait, unless it is to end."""
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return


@contextmanager
def _ended_by_signals(stopped: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    db = Database(settings)
    try:
        yield db
    finally:
        await db.close()


def _vault(settings: Settings) -> Vault:
    return Vault(settings.encryption_keys, settings.pii_key_id)
