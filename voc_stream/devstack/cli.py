"""The command line of the stack."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from voc_stream.devstack.control import ask
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.parts import PARTS
from voc_stream.devstack.up import Plan, run

_console = Console(highlight=False, soft_wrap=True)
_folder_option = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: Path(os.environ.get("STACK_DIR") or ".stack"),
    show_default="STACK_DIR or .stack",
    help="The stack's folder.",
)
_part_argument = click.argument("part", type=click.Choice(sorted(PARTS)))


class _Group(click.Group):
    """Turns a StackError into its line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> None:
        try:
            super().invoke(ctx)
        except StackError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)


@click.group(cls=_Group)
def main() -> None:
    """Kafka, PostgreSQL, S3, ClickHouse, a recorder and the scoring service on this machine, without Docker."""


@main.command()
@_folder_option
@click.option("--only", help="Parts to start, separated by commas.  [default: all]")
@click.option("--any-ports", is_flag=True, help="Take any free ports instead of the documented ones.")
@click.option("--recorder-args", default="", help='Options for the recorder simulator, for example "--calls 12 --seed 7".')
@click.option("--env", "pairs", multiple=True, metavar="NAME=VALUE", help="Environment of the recorder simulator and the scoring service.")
@click.option("--setup/--no-setup", default=True, show_default=True, help="Make topics, schemas and the bucket, or verify those that are there.")
@click.option("--attached", is_flag=True, hidden=True, help="Stop when standard input closes.")
def up(*, folder: Path, only: str | None, any_ports: bool, recorder_args: str, pairs: tuple[str, ...], setup: bool, attached: bool) -> None:
    """Start the stack and keep it until Ctrl-C."""
    plan = Plan(
        folder=folder,
        parts=_parts(only),
        prefer_default_ports=not any_ports,
        recorder_args=shlex.split(recorder_args),
        env=dict(_pair(text) for text in pairs),
        attached=attached,
        setup=setup,
    )
    asyncio.run(run(plan, _say))


@main.command()
@_folder_option
def status(folder: Path) -> None:
    """Show the parts of a running stack."""
    for part, state in ask(StackFolder(folder).control_socket, "status")["parts"].items():
        _say(f"{part:<11} {state}")


@main.command()
@_folder_option
def clean(folder: Path) -> None:
    """Remove the stack's folder with all its data (refused while it runs)."""
    _say(f"removed {folder}" if StackFolder(folder).remove() else f"there is no {folder}")


def _control(operation: str, text: str) -> None:
    @main.command(operation, help=text)
    @_folder_option
    @_part_argument
    def command(folder: Path, part: str) -> None:
        _say(f"{part:<11} {ask(StackFolder(folder).control_socket, operation, part)['state']}")


_control("stop", "Stop a part; it keeps its data and its port.")
_control("start", "Start a part that is stopped, killed or dead.")
_control("restart", "Stop a part and start it again.")
_control("kill", "End a part at once with SIGKILL.")
_control("pause", "Freeze a part (SIGSTOP): it accepts connections and answers nothing.")
_control("resume", "Let a paused part go on.")


def _parts(only: str | None) -> list[str]:
    wanted = [name.strip() for name in only.split(",") if name.strip()] if only else list(PARTS)
    for name in wanted:
        if name not in PARTS:
            raise click.BadParameter(f"no part {name!r}; there are {', '.join(PARTS)}", param_hint="--only")
    return wanted


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--env")
    return name, value


def _say(line: str) -> None:
    _console.print(escape(line))
    sys.stdout.flush()
