"""The commands: `faust -A voc_stream topics | migrate | bucket`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click

from voc_stream import bucket as bucket_rules
from voc_stream import migrate as migrations
from voc_stream import topic_admin
from voc_stream.errors import OutsideError
from voc_stream.settings import Settings

Command = Callable[[Settings, Callable[[str], None]], Awaitable[int]]


def attach(app: Any, settings: Settings) -> None:
    """Add the commands to the app."""

    @app.command()
    async def topics(self: Any) -> None:  # noqa: ARG001 - Faust's command protocol
        """Create the Kafka topics; on a second run verify them and report differences."""
        await _run(topic_admin.run, settings)

    @app.command()
    async def migrate(self: Any) -> None:  # noqa: ARG001
        """Apply the migrations of PostgreSQL and ClickHouse; on a second run verify."""
        await _run(migrations.run, settings)

    @app.command()
    async def bucket(self: Any) -> None:  # noqa: ARG001
        """Create the bucket with its rules; on a second run verify them and report differences."""
        await _run(bucket_rules.run, settings)


async def _run(command: Command, settings: Settings) -> None:
    try:
        code = await command(settings, click.echo)
    except OutsideError as error:
        click.echo(f"voc-stream: {error}", err=True)
        code = 1
    sys.exit(code)
