"""`make demo`: everything on this machine, and recordings become scores and customers' words numbers while one watches."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from voc_stream.devstack.audit import Audit, Findings
from voc_stream.devstack.demo_door import make_token, people_port, wait_open
from voc_stream.devstack.demo_events import Counts, DemoEvents
from voc_stream.devstack.demo_view import View
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import read_endpoints
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.stories import Stories
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.errors import OutsideError
from voc_stream.settings import Settings, load_settings
from voc_stream.topics import VOC_CALLS

# A demo does not want to wait: the recorder is asked more often than in production, and a recording that is late sooner again.
PACE = {
    "AVAYA_POLL_SECONDS": "5",
    "AVAYA_GUARD_SECONDS": "5",
    "AVAYA_SWEEP_SECONDS": "10",
    "AVAYA_MISSING_RETRY_SECONDS": "5",
    "SCORING_IN_FLIGHT": "2",
}
HANG_UPS_A_MINUTE = 12
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 300.0


class Demo:
    """Runs the stack and a worker, shows what happens, and at the end holds every place against the other."""

    def __init__(self, *, folder: Path, calls: int | None, audio: Path | None, rate: float, seed: int, console: Console) -> None:
        self._folder = folder
        self._calls = calls
        self._console = console
        recorder_args = ["--rate", str(rate), "--seed", str(seed)]
        recorder_args += ["--audio", str(audio.resolve())] if audio else []
        recorder_args += ["--calls", str(calls)] if calls else ([] if audio else ["--endless"])
        self._stack = Stack(folder, recorder_args=recorder_args, on_line=self._say)

    def run(self, *, once: bool) -> int:
        """Start everything, watch, stop everything; returns the exit code."""
        began, since = time.monotonic(), datetime.now(UTC)
        self._say("starting Kafka, PostgreSQL, S3, ClickHouse, a recorder and the scoring service on this machine ...")
        with self._stack:
            port = people_port()
            own = PACE | {"WEB_ENABLED": "true", "HTTP_PORT": str(port)}
            worker = WorkerProcess(self._folder, self._folder / "state", self._folder / "logs" / "worker.log", own)
            worker.start()
            try:
                worker.wait_ready()
                self._say(f"worker      ready in {time.monotonic() - began:.0f} s since the start; its log is {worker.log}")
                self._say(f"operator    http://127.0.0.1:{worker.port}/readyz  http://127.0.0.1:{worker.port}/metrics")
                self._tell_way_in(port)
                outcome = asyncio.run(self._watch(worker, since, once=once))
            finally:
                if worker.poll() is None:
                    worker.stop()
        return 0 if outcome is None else self._report(*outcome)

    def _tell_way_in(self, port: int) -> None:
        token = asyncio.run(make_token(self._settings()))
        wait_open(port)
        address = f"http://127.0.0.1:{port}"
        self._say(f"numbers     curl -H 'Authorization: Bearer {token}' {address}/tenants/tenant-01/summary")
        self._say(f"open        {address}/  and log in with the token  {token}")

    def _settings(self) -> Settings:
        endpoints = read_endpoints(self._folder / "endpoints.env")
        return load_settings(**{name.lower(): value for name, value in endpoints.items() if name.lower() in Settings.model_fields})

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)

    async def _watch(self, worker: WorkerProcess, since: datetime, *, once: bool) -> tuple[list[str], Findings, Counts] | None:
        simulator = Simulator(read_endpoints(self._folder / "endpoints.env"))
        settings = self._settings()
        made_up = DemoEvents(settings, once=once, say=self._say, since=since)
        async with Audit(settings) as audit, Stories(settings) as stories, made_up as events:
            await self._until_done(_Sources(simulator, audit, stories, events), worker, once=once)
            if not once:
                return None
            call_ids = [call["inum"] for call in simulator.calls()["calls"]]
            own = await audit.event_ids(VOC_CALLS)
            counts = await events.settled([event_id for call_id in call_ids for event_id in own.get(call_id, ())])
            return call_ids, await audit.examine(call_ids), counts

    async def _until_done(self, sources: _Sources, worker: WorkerProcess, *, once: bool) -> None:
        view = View(planned=None)
        last_change = time.monotonic()
        with Live(self._live(view), console=self._console, auto_refresh=False, transient=False) as live:
            while True:
                if worker.poll() is not None:
                    raise StackError(f"the worker ended with {worker.poll()}:\n{worker.last_lines()}")
                before, view = view, await self._look(sources, view)
                if self._show(live, before, view) or view.events != before.events:
                    last_change = time.monotonic()
                if once and view.calls_done and sources.events.all_sent:
                    return
                if once and time.monotonic() - last_change > PATIENCE_SECONDS:
                    self._say(f"nothing has changed for {PATIENCE_SECONDS:.0f} s: giving up")
                    return
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, sources: _Sources, before: View) -> View:
        try:
            truth = await asyncio.to_thread(sources.simulator.calls)
            call_ids = [call["inum"] for call in truth["calls"]]
            for line in await sources.stories.fresh(call_ids):
                self._say(line)
            exported = await sources.audit.exported()
            return View(
                planned=truth["planned"],
                hung_up=sum(1 for call in truth["calls"] if call["ended_at"] is not None and call["ended_at"] <= _now()),
                states=await sources.audit.states(call_ids),
                exported=sum(1 for call_id in call_ids if exported[call_id]),
                events=await sources.events.counts(),
            )
        except (OSError, OutsideError) as error:
            return replace(before, last=str(error))

    def _show(self, live: Live, before: View, view: View) -> bool:
        """Show it; returns whether any call has come further. Without a terminal only then is it worth a line."""
        further = (view.hung_up, view.counts()) != (before.hung_up, before.counts())
        if self._console.is_terminal:
            live.update(self._live(view), refresh=True)
        elif further:
            self._say(view.line())
        return further

    def _live(self, view: View) -> Table:
        return view.table() if self._console.is_terminal else Table(show_header=False, box=None)

    def _report(self, call_ids: list[str], findings: Findings, events: Counts) -> int:
        for problem in findings.problems:
            self._say(f"problem: {problem}")
        states = findings.states
        missing = self._calls is not None and len(call_ids) != self._calls
        if missing:
            self._say(f"problem: the recorder made {len(call_ids)} calls, not {self._calls}")
        if events.sent != events.stored:
            self._say(f"problem: {events.sent} customer events were sent and {events.stored} are stored")
        self._say(
            f"demo: calls={len(call_ids)} scored={states['SCORED']} not_scorable={states['NOT_SCORABLE']} missing={states['MISSING']} "
            f"dead_lettered={states['ERROR']} pending={states['PENDING']} p95_end_to_score_s={findings.p95:.1f} "
            f"events_sent={events.sent} events_stored={events.stored}"
        )
        return 1 if findings.problems or states["PENDING"] or missing or events.sent != events.stored else 0


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where the demo looks."""

    simulator: Simulator
    audit: Audit
    stories: Stories
    events: DemoEvents


@click.command()
@click.option("--once", is_flag=True, help="End when every call has ended in a final state, and check every place.")
@click.option("--calls", type=click.IntRange(min=1), help="So many calls (12 with --once; else they keep coming).")
@click.option("--audio", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Replay this folder of recordings.")
@click.option("--rate", default=HANG_UPS_A_MINUTE, show_default=True, type=click.FloatRange(min=0.1), help="Hang-ups a minute.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same calls.")
@click.option("--dir", "folder", default=Path(".stack"), show_default=True, type=click.Path(path_type=Path), help="The stack's folder.")
def main(*, once: bool, calls: int | None, audio: Path | None, rate: float, seed: int, folder: Path) -> None:
    """Start everything on this machine and watch calls being scored; Ctrl-C stops everything."""
    if once and calls is None and audio is None:
        calls = 12
    demo = Demo(folder=folder, calls=calls, audio=audio, rate=rate, seed=seed, console=Console(highlight=False))
    try:
        sys.exit(demo.run(once=once))
    except StackError as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0 if not once else 130)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


if __name__ == "__main__":
    main()
