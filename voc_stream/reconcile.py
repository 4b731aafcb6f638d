"""`faust -A voc_stream reconcile`: examine closed hours, name what is missing, do again what can be done again (docs/completeness.md)."""

from __future__ import annotations

import getpass
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from rich.console import Console
from rich.table import Table

from voc_stream.clients.audit_log import write_audit
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.forgotten_store import ForgottenStore
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.events.voc import decode_voc
from voc_stream.kit import Kit
from voc_stream.runtime.stage import Publishes
from voc_stream.services.event_privacy import EventPrivacy
from voc_stream.services.mend import Mended, Mender, Tools
from voc_stream.services.reconcile import Places, Reconciler
from voc_stream.settings import Settings
from voc_stream.stages.completeness import MEANING, Equation

Echo = Callable[[str], None]

MOST_SHOWN = 200
_WIDTH = 150


async def run(settings: Settings, echo: Echo, *, kit: Kit, publisher: Publishes, hours: int, redrive: bool) -> int:
    """Examine the last closed hours and keep what they come to, as the leader does.

    Args:
        settings: of every server.
        echo: takes each line of the report.
        kit: its clients are opened and closed here.
        publisher: takes what is sent again.
        hours: how many.
        redrive: close the gaps that can be closed.

    Returns:
        0: everything adds up, or (`redrive`) every gap was closed or is on its way; 1: gaps remain; 2: no hour is closed yet.

    Raises:
        OutsideError: a server failed; the same command goes on.
    """
    async with _opened(kit):
        places = Places(recorder=kit.recorder, checkpoints=kit.calls, objects=kit.objects, warehouse=kit.warehouse, db=kit.db, tenants=kit.tenants)
        reconciler = Reconciler(places, settings)
        async with TopicReader(settings) as reader:
            standing = await reconciler.standing(reader)
            if not standing.hours(1):
                echo("reconcile: no hour is closed that began after the recorder was polled for the first time")
                return 2
            equations = await reconciler.run_from(standing, reader, hours)
            told(equations, echo)
            gaps = sum(equation.gap_count for equation in equations)
            if not redrive or not gaps:
                return 1 if gaps else 0
            mended = await Mender(_tools(kit, publisher, settings), reader).mend(gap for equation in equations for gap in equation.gaps)
        await _audit(kit, mended)
    return _told_mended(mended, gaps, echo)


def told(equations: Sequence[Equation], echo: Echo) -> None:
    """Tell what the hours came to: a table of the equations, one of the gaps by name, and a line of sums."""
    sums = Table(title="Closed hours (UTC)")
    for column in ("hour", "tenant", "hop", "expected", "found", "gaps"):
        sums.add_column(column, justify="right" if column in {"expected", "gaps"} else "left")
    for each in equations:
        found = " + ".join(f"{count} {term}" for term, count in sorted(each.terms.items())) or "0"
        gaps = str(each.gap_count) if each.gap_count else ""
        sums.add_row(f"{each.hour:%Y-%m-%d %H:%M}", each.tenant_id, each.hop, str(each.left), found, gaps)
    _print(sums, echo)
    named = [(each, gap) for each in equations for gap in each.gaps]
    if named:
        gaps_table = Table(title="Gaps")
        for column in ("hour", "tenant", "hop", "which", "what", "remedy"):
            gaps_table.add_column(column, overflow="fold")
        for each, gap in named[:MOST_SHOWN]:
            gaps_table.add_row(f"{each.hour:%m-%d %H:%M}", gap.tenant_id, gap.hop, gap.subject, gap.what, gap.remedy or "none")
        _print(gaps_table, echo)
        for hop in sorted({gap.hop for _, gap in named}):
            echo(f"{hop}: {MEANING[hop]}")
    count = sum(each.gap_count for each in equations)
    if count > min(len(named), MOST_SHOWN):
        echo(f"{count - min(len(named), MOST_SHOWN)} more gaps are not shown")
    hours = len({each.hour for each in equations})
    echo(f"reconcile: hours={hours} equations={len(equations)} gaps={count} mendable={sum(gap.remedy is not None for _, gap in named)}")


def _told_mended(mended: Mended, gaps: int, echo: Echo) -> int:
    for remedy, count in sorted(mended.done.items()):
        if count:
            echo(f"{remedy}: {count}")
    for gap, reason in mended.left[:MOST_SHOWN]:
        echo(f"{gap.hop} {gap.subject}: left, {reason}")
    remaining = gaps - mended.done.total()
    echo(f"reconcile: redriven={mended.done.total()} remaining={remaining}; what went through topics is done when the workers have read it")
    return 1 if remaining else 0


def _print(table: Table, echo: Echo) -> None:
    console = Console(file=io.StringIO(), width=_WIDTH)
    with console.capture() as text:
        console.print(table)
    echo(text.get().rstrip())


async def _audit(kit: Kit, mended: Mended) -> None:
    after = {str(remedy): count for remedy, count in mended.done.items() if count} | {"left": len(mended.left)}
    await write_audit(kit.db, f"cli:{getpass.getuser()}", "reconciled", "completeness", tenant=None, after=after)


def _tools(kit: Kit, publisher: Publishes, settings: Settings) -> Tools:
    return Tools(
        calls=kit.calls,
        rows=CompletenessRows(kit.db),
        privacy=EventPrivacy(decode_voc, kit.redactor, kit.vault, ForgottenStore(kit.db)),
        objects=kit.objects,
        recorder=kit.recorder,
        recordings=kit.recordings,
        warehouse=kit.warehouse,
        composite=kit.composite,
        annotating=kit.annotating,
        publisher=publisher,
        vault=kit.vault,
        tenants=kit.tenants,
        settings=settings,
    )


@asynccontextmanager
async def _opened(kit: Kit) -> AsyncIterator[None]:
    """Open what is asked; the annotator is opened where it is needed."""
    await kit.objects.open()
    await kit.recorder.open()
    try:
        yield
    finally:
        for client in (kit.annotating, kit.recorder, kit.objects, kit.warehouse, kit.db):
            await client.close()
