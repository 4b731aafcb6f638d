"""`python -m voc_stream.web`: the people's side by itself, or as a worker starts it (`--worker PORT --parent PID`)."""

from __future__ import annotations

import click
import uvloop

from voc_stream.logs import setup_logging
from voc_stream.services.reloaded import FileError
from voc_stream.settings import Settings, SettingsError, load_settings
from voc_stream.web.app import make_app
from voc_stream.web.desk import Desk
from voc_stream.web.server import end_with, serve


@click.command()
@click.option("--parent", type=int, help="End when this process, which started this one, ends.")
@click.option("--worker", type=click.IntRange(1, 65535), help="The operator's port of the worker whose pages these are.")
def main(parent: int | None, worker: int | None) -> None:
    """Serve pages and API until SIGTERM."""
    if parent is not None:
        end_with(parent)
    try:
        settings = load_settings()
        setup_logging(settings)
        uvloop.run(_run(settings, worker))
    except (SettingsError, FileError) as error:
        raise SystemExit(f"voc-stream: {error}") from None


async def _run(settings: Settings, worker: int | None) -> None:
    await serve(make_app(Desk.of(settings, worker)), settings)


if __name__ == "__main__":
    main()
