"""The commands: `faust -A voc_stream --help` lists them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from voc_stream import access_tokens, pausing, topic_admin
from voc_stream import bucket as bucket_command
from voc_stream import dlq as dead_letters
from voc_stream import evaluate as evaluation
from voc_stream import forget as forgetting
from voc_stream import partitions as growing
from voc_stream import reconcile as reconciling
from voc_stream import restrict as restricting
from voc_stream import rewind as rewinding
from voc_stream import rotate as rotating
from voc_stream import schemas as schema_writer
from voc_stream.capacity import command as capacity_command
from voc_stream.errors import OutsideError
from voc_stream.generator import send
from voc_stream.runtime.publisher import Publisher
from voc_stream.settings import Settings

Command = Callable[[Settings, Callable[[str], None]], Awaitable[int]]

GENERATE_OPTIONS = (
    click.option("--rate", type=click.FloatRange(min=0.1), default=1000.0, show_default=True, help="Events a second."),
    click.option("--tenants", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Tenants that share them."),
    click.option("--events", type=click.IntRange(min=1), help="So many events, then end."),
    click.option("--seconds", type=click.FloatRange(min=0.1), help="For so long, then end."),
    click.option("--seed", type=int, help="The same seed gives the same events, ids too; without it they are new."),
    click.option(
        "--hours", type=click.FloatRange(0, 8760), default=0.0, show_default=True, help="Spread their times over the last hours; needs an end."
    ),
)

FORGET_OPTIONS = (
    click.option("--tenant", required=True, help="Whose events."),
    click.option("--customer", help="Only this customer's: the id in the events, or the other party's number that the recorder told."),
    click.option("--yes", is_flag=True, help="Do it; otherwise only count."),
)
VIEWS_OPTIONS = (
    click.option("--day", multiple=True, type=click.DateTime(["%Y-%m-%d"]), help="Only this day (UTC); may be given again."),
    click.option("--mend", is_flag=True, help="Make the days anew on which they differ."),
)

RECONCILE_OPTIONS = (
    click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="So many closed hours."),
    click.option("--redrive", is_flag=True, help="Do again what is missing and can be done again."),
)

_FOLDER = click.Path(path_type=Path, file_okay=False)
BACKUP_OPTIONS = (
    click.argument("folder", type=_FOLDER),
    click.option("--pg-bin", type=_FOLDER, help="Where pg_dump and pg_restore are; else on PATH."),
)
_ONLY = click.option("--only", type=click.Choice(["postgres", "clickhouse"]), help="Only this one; the other stays as it is.")
RESTORE_OPTIONS = (
    *BACKUP_OPTIONS,
    _ONLY,
    click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Of pg_restore, side by side."),
)
FORGET_AGAIN_OPTIONS = (
    click.option("--since", required=True, type=click.DateTime(), help="The moment that was restored (UTC)."),
    _ONLY,
)

EVALUATE_ARGUMENTS = (
    click.argument("what", type=click.Choice(sorted(evaluation.EVALUATORS))),
    click.argument("file", metavar="FILE.csv", type=click.Path(path_type=Path)),
    click.option("--model", type=click.Choice(["rule", "embed"]), help="Which sentiment; else as SENTIMENT_MODEL says."),
)


def attach(app: Any, settings: Settings) -> None:
    """Add the commands to the app."""

    @app.command()
    async def topics(self: Any) -> None:  # noqa: ARG001 - Faust's command protocol
        """Create the Kafka topics; on a second run verify them and report differences."""
        await _run(topic_admin.run, settings)

    @app.command()
    async def migrate(self: Any) -> None:  # noqa: ARG001
        """Apply the migrations of PostgreSQL and ClickHouse; on a second run verify."""
        from voc_stream import migrate as migrations  # its driver is a tenth of what a worker would load at its start

        await _run(migrations.run, settings)

    @app.command(*bucket_command.OPTIONS)
    async def bucket(self: Any, *, apply: bool) -> None:  # noqa: ARG001
        """Create the buckets with their rules; on a second run verify them and report differences."""
        await _run(partial(bucket_command.run, apply=apply), settings)

    @app.command()
    async def schemas(self: Any) -> None:  # noqa: ARG001
        """Write the JSON Schemas of all topics and events into docs/schemas/."""
        await _run(schema_writer.run, settings)

    @app.command(*GENERATE_OPTIONS)
    async def generate(self: Any, **plan: Any) -> None:  # noqa: ARG001
        """Send made-up customer events of many tenants; Ctrl-C ends it."""
        await _run(partial(send.run, plan=send.Plan(**plan)), settings)

    @app.command(*FORGET_OPTIONS)
    async def forget(self: Any, **whose: Any) -> None:  # noqa: ARG001
        """Delete whatever is known of a tenant or a customer, and destroy its keys."""
        await _run(partial(forgetting.forget, **whose), settings)

    @app.command()
    async def expire(self: Any) -> None:  # noqa: ARG001
        """Delete the events that are past their tenant's retention, as the leader does each day."""
        await _run(forgetting.expire, settings)

    @app.command(*VIEWS_OPTIONS)
    async def views(self: Any, *, day: tuple[datetime, ...], mend: bool) -> None:  # noqa: ARG001
        """Compare the views of customer events with the events; mend what differs."""
        await _run(partial(forgetting.views, days=[each.date() for each in day], mend=mend), settings)

    _attach_pauses(app, settings)
    _attach_privacy(app, settings)

    @app.command(*EVALUATE_ARGUMENTS)
    async def evaluate(self: Any, **asked: Any) -> None:  # noqa: ARG001
        """Compare what would be stored of labelled texts with their labels (docs/sentiment.md, docs/topics.md)."""
        await _run(partial(evaluation.run, **asked), settings)

    _attach_operating(app, settings)
    _attach_recovery(app, settings)


def _attach_recovery(app: Any, settings: Settings) -> None:
    @app.command(*BACKUP_OPTIONS)
    async def backup(self: Any, **how: Any) -> None:  # noqa: ARG001
        """Write PostgreSQL and ClickHouse into a folder, each as of one moment, while the workers run."""
        from voc_stream import backup as backing_up  # its driver is a tenth of what a worker would load at its start

        await _run(partial(backing_up.run, **how), settings)

    @app.command(*RESTORE_OPTIONS)
    async def restore(self: Any, **how: Any) -> None:  # noqa: ARG001
        """Bring a backup into empty databases, compare it, and forget again who was forgotten since."""
        from voc_stream import restore as restoring

        await _run(partial(restoring.run, **how), settings)

    @app.command(*FORGET_AGAIN_OPTIONS, name="forget-again")
    async def forget_again(self: Any, **what: Any) -> None:  # noqa: ARG001
        """Forget again who was forgotten since a moment to which a database was restored by other means."""
        from voc_stream import restore as restoring

        await _run(partial(restoring.forget_again, **what), settings)

    @app.command(*rewinding.OPTIONS)
    async def rewind(self: Any, **how: Any) -> None:  # noqa: ARG001
        """Set the group back to what the databases hold, after one was restored; tells only, without --yes."""
        await _run(partial(rewinding.run, kit=app.kit, publisher=Publisher(app), **how), settings)


def _attach_privacy(app: Any, settings: Settings) -> None:
    @app.command(*restricting.OPTIONS)
    async def restrict(self: Any, **order: Any) -> None:  # noqa: ARG001
        """Set a legal hold, or calls that must not be scored; or lift it."""
        await _run(partial(restricting.restrict, **order), settings)

    @app.command()
    async def restrictions(self: Any) -> None:  # noqa: ARG001
        """Tell of legal holds and of calls that must not be scored."""
        await _run(restricting.restrictions, settings)

    @app.command(*rotating.OPTIONS, name="rotate-keys")
    async def rotate_keys(self: Any, **how: Any) -> None:  # noqa: ARG001
        """Seal everything by PII_KEY_ID, in batches, while the workers run."""
        await _run(partial(rotating.rotate, **how), settings)


def _attach_operating(app: Any, settings: Settings) -> None:
    """Add what an operator does to a running pipeline."""

    @app.command(*capacity_command.OPTIONS)
    async def capacity(self: Any, **asked: Any) -> None:  # noqa: ARG001
        """Tell what a load takes: partitions, workers, cores, memory, disks, and what that costs at your prices."""
        await _run(partial(capacity_command.run, **asked), settings)

    @app.command(*dead_letters.OPTIONS)
    async def dlq(self: Any, **order: Any) -> None:  # noqa: ARG001
        """Dead letters: list or group them, show one, send them back, discard them."""
        await _run(partial(dead_letters.run, publisher=Publisher(app), **order), settings)

    @app.command(*growing.OPTIONS)
    async def partitions(self: Any, **order: Any) -> None:  # noqa: ARG001
        """Compare the topics' partitions with the settings, and let them grow while all workers stand still."""
        await _run(partial(growing.run, **order), settings)

    @app.command(*RECONCILE_OPTIONS)
    async def reconcile(self: Any, **asked: Any) -> None:  # noqa: ARG001
        """Compare every place that knows of the calls and events of closed hours; exit code 1 when something is missing."""
        await _run(partial(reconciling.run, kit=app.kit, publisher=Publisher(app), **asked), settings)

    @app.command(*access_tokens.OPTIONS)
    async def token(self: Any, **order: Any) -> None:  # noqa: ARG001
        """Tokens for programs and people: create one (it is shown once), list them, revoke one."""
        await _run(partial(access_tokens.run, **order), settings)


def _attach_pauses(app: Any, settings: Settings) -> None:
    @app.command(*pausing.OPTIONS)
    async def pause(self: Any, **what: Any) -> None:  # noqa: ARG001
        """Let a stage, a tenant, or a tenant in a stage stand still."""
        await _run(partial(pausing.order, stages=app.kit.runners, paused=True, **what), settings)

    @app.command(*pausing.OPTIONS)
    async def resume(self: Any, **what: Any) -> None:  # noqa: ARG001
        """Let it go on, also a stage that paused itself."""
        await _run(partial(pausing.order, stages=app.kit.runners, paused=False, **what), settings)

    @app.command()
    async def pauses(self: Any) -> None:  # noqa: ARG001
        """Tell of what stands still by an operator's order."""
        await _run(pausing.show, settings)


async def _run(command: Command, settings: Settings) -> None:
    try:
        code = await command(settings, click.echo)
    except OutsideError as error:
        click.echo(f"voc-stream: {error}", err=True)
        code = 1
    sys.exit(code)
