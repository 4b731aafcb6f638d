"""How each benchmark's command runs and ends."""

from __future__ import annotations

import signal
import sys

import click

from voc_stream.devstack.errors import StackError


def run(command: click.Command, name: str) -> None:
    """Run a command to its end: SIGTERM cleans up as Ctrl-C does, and an error that has a sentence is told without a stack trace.

    Args:
        command: what the benchmark does.
        name: as the last line calls it.

    Raises:
        SystemExit: 130 after Ctrl-C, 1 after an error, else as the command says.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        command.main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except (StackError, click.ClickException) as error:
        click.echo(f"{name}: {error if isinstance(error, StackError) else error.format_message()}", err=True)
        sys.exit(1)


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)
