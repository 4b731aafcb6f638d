"""`python -m voc_stream.devstack.recorder`: the recorder simulator as a process."""

import asyncio
import itertools
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import uvloop
from aiohttp import web
from pydantic import SecretStr

from voc_stream.devstack.recorder import folder
from voc_stream.devstack.recorder.answers import Layout
from voc_stream.devstack.recorder.arrivals import Arrivals, planned_calls
from voc_stream.devstack.recorder.core import Recorder
from voc_stream.devstack.recorder.plan import MIXES, Mix, PlannedCall, Planner
from voc_stream.devstack.recorder.server import CONTROL, create_app


class Zone(click.ParamType):
    """A name of the tz database."""

    name = "zone"

    def convert(self, value: str | ZoneInfo, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """The zone, or a refusal that names it."""
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            self.fail(f"{value!r} is not a time zone", param, ctx)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    host: str
    port: int
    username: str
    password: SecretStr
    zone: ZoneInfo
    layout: Layout
    result_cap: int
    data: Path
    audio: Path | None
    calls: int | None
    rate: float
    seed: int
    mix: Mix
    endless: bool


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8081, show_default=True, help="0: any free one, told on the first line.")
@click.option("--username", envvar="AVAYA_USERNAME", required=True, show_envvar=True)
@click.option("--password", envvar="AVAYA_PASSWORD", required=True, show_envvar=True)
@click.option(
    "--timezone", "zone", type=Zone(), envvar="AVAYA_TIMEZONE", default="Europe/Berlin", show_default=True, show_envvar=True, help="The recorder's."
)
@click.option("--layout", type=click.Choice(["segment", "contact"]), default="segment", show_default=True, help="Of searches that ask for none.")
@click.option("--result-cap", type=click.IntRange(1), envvar="AVAYA_RESULT_CAP", default=1000, show_default=True, show_envvar=True)
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), default=Path(".stack/recorder"), show_default=True, help="Keeps what is made."
)
@click.option(
    "--audio", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Replay the recordings of a folder instead of making calls."
)
@click.option("--calls", type=click.IntRange(0), help="Segments in all; 0: only what is asked for. [default: 12, or every recording of --audio once]")
@click.option("--rate", type=click.FloatRange(0, min_open=True), default=20.0, show_default=True, help="Hang-ups a minute.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--mix", type=click.Choice(MIXES), default="default", show_default=True)
@click.option("--endless", is_flag=True, help="Calls keep coming at the rate.")
def main(password: str, **options: object) -> None:
    """Simulate the call recorder: searches and replays on /searchapi, faults and truth on /control."""
    uvloop.run(_serve(Options(password=SecretStr(password), **options)))  # type: ignore[arg-type]  # click has checked and converted them


async def _serve(options: Options) -> None:
    recorder = Recorder(options.data, zone=options.zone, result_cap=options.result_cap)
    app = create_app(recorder, username=options.username, password=options.password, layout=options.layout)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port)
        await site.start()
        click.echo(
            f"recorder simulator: http://{options.host}:{runner.addresses[0][1]}/searchapi (zone {options.zone.key}, cap {options.result_cap})"
        )
        arrivals = _arrivals(recorder, options)
        if arrivals is not None:
            app[CONTROL].start(arrivals)
        await stopped.wait()
    finally:
        await runner.cleanup()


def _arrivals(recorder: Recorder, options: Options) -> Arrivals | None:
    if options.calls == 0 and not options.endless:
        return None
    if options.audio is None:
        count = None if options.endless else 12 if options.calls is None else options.calls
        return Arrivals(recorder, planned_calls(options.mix, options.seed, count), options.rate, count)
    found = folder.find(options.audio)
    if not found:
        click.echo(f"recorder simulator: no recordings in {options.audio}", err=True)
        return None
    count = None if options.endless else len(found) if options.calls is None else options.calls
    return Arrivals(recorder, _from_folder(found, options, count), options.rate, count)


def _from_folder(found: list[folder.Found], options: Options, count: int | None) -> Iterator[PlannedCall]:
    """The folder's recordings in turn, from the first again when more calls are wanted than there are."""
    planner = Planner(options.seed)
    opened = itertools.cycle(folder.open_call(each, options.data) for each in found)
    return itertools.islice((planner.replay_of(recording, expected) for recording, expected in opened), count)


if __name__ == "__main__":
    main()
