"""`make demo`: everything on this machine, and recordings become scores while one watches."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from voc_stream.devstack.audit import Audit, Findings
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import read_endpoints
from voc_stream.devstack.simulator import Simulator
from voc_stream.devstack.stack import Stack
from voc_stream.devstack.stories import Stories
from voc_stream.devstack.worker_process import WorkerProcess
from voc_stream.errors import OutsideError
from voc_stream.settings import Settings, load_settings

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
STATES = ("polled", "downloaded", "scored", "not scorable", "exported", "missing", "dead-lettered")


@dataclass(slots=True)
class View:
    """What the simulator and PostgreSQL say now."""

    planned: int | None
    hung_up: int = 0
    states: Counter[str] = field(default_factory=Counter)
    exported: int = 0
    last: str = ""

    def counts(self) -> dict[str, int]:
        """Return the table's columns."""
        states = self.states
        known = sum(states.values()) - states["UNKNOWN"]
        return {
            "polled": known,
            "downloaded": states["DOWNLOADED"] + states["SCORED"] + states["NOT_SCORABLE"],
            "scored": states["SCORED"],
            "not scorable": states["NOT_SCORABLE"],
            "exported": self.exported,
            "missing": states["MISSING"],
            "dead-lettered": states["ERROR"],
        }


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
        began = time.monotonic()
        self._say("starting Kafka, PostgreSQL, S3, ClickHouse, a recorder and the scoring service on this machine ...")
        with self._stack:
            worker = WorkerProcess(self._folder, self._folder / "state", self._folder / "logs" / "worker.log", PACE)
            worker.start()
            try:
                worker.wait_ready()
                self._say(f"worker      ready in {time.monotonic() - began:.0f} s since the start; its log is {worker.log}")
                address = f"http://127.0.0.1:{worker.port}"
                self._say(f"pages       {address}/healthz  {address}/readyz  {address}/metrics")
                outcome = asyncio.run(self._watch(worker, once=once))
            finally:
                if worker.poll() is None:
                    worker.stop()
        return 0 if outcome is None else self._report(*outcome)

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)

    async def _watch(self, worker: WorkerProcess, *, once: bool) -> tuple[list[str], Findings] | None:
        endpoints = read_endpoints(self._folder / "endpoints.env")
        simulator = Simulator(endpoints)
        settings = load_settings(**{name.lower(): value for name, value in endpoints.items() if name.lower() in Settings.model_fields})
        async with Audit(settings) as audit, Stories(settings) as stories:
            await self._until_done(simulator, audit, stories, worker, once=once)
            if not once:
                return None
            call_ids = [call["inum"] for call in simulator.calls()["calls"]]
            return call_ids, await audit.examine(call_ids)

    async def _until_done(self, simulator: Simulator, audit: Audit, stories: Stories, worker: WorkerProcess, *, once: bool) -> None:
        view = View(planned=None)
        last_change = time.monotonic()
        with Live(self._table(view), console=self._console, auto_refresh=False, transient=False) as live:
            while True:
                if worker.poll() is not None:
                    raise StackError(f"the worker ended with {worker.poll()}:\n{worker.last_lines()}")
                before = (view.hung_up, view.counts())
                view = await self._look(simulator, audit, stories, view)
                if (view.hung_up, view.counts()) != before:
                    last_change = time.monotonic()
                    self._show(live, view)
                if once and self._complete(view):
                    return
                if once and time.monotonic() - last_change > PATIENCE_SECONDS:
                    self._say(f"nothing has changed for {PATIENCE_SECONDS:.0f} s: giving up")
                    return
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, simulator: Simulator, audit: Audit, stories: Stories, before: View) -> View:
        try:
            truth = await asyncio.to_thread(simulator.calls)
            call_ids = [call["inum"] for call in truth["calls"]]
            for line in await stories.fresh(call_ids):
                self._say(line)
            states = await audit.states(call_ids)
            exported = await audit.exported()
            hung_up = sum(1 for call in truth["calls"] if call["ended_at"] is not None and call["ended_at"] <= _now())
            return View(truth["planned"], hung_up, states, sum(1 for call_id in call_ids if exported[call_id]))
        except (OSError, OutsideError) as error:
            return View(before.planned, before.hung_up, before.states, before.exported, last=str(error))

    def _complete(self, view: View) -> bool:
        counts = view.counts()
        final = counts["scored"] + counts["not scorable"] + counts["missing"] + counts["dead-lettered"]
        return view.planned is not None and final >= view.planned and counts["exported"] >= counts["scored"] + counts["not scorable"]

    def _show(self, live: Live, view: View) -> None:
        if self._console.is_terminal:
            live.update(self._table(view), refresh=True)
        else:
            counts = " ".join(f"{name.replace(' ', '_')}={count}" for name, count in view.counts().items())
            self._say(f"hung_up={view.hung_up}/{'endless' if view.planned is None else view.planned} {counts}")

    def _table(self, view: View) -> Table:
        if not self._console.is_terminal:
            return Table(show_header=False, box=None)
        table = Table(title="calls", caption=view.last or "Ctrl-C stops everything")
        for name in ("hung up", *STATES):
            table.add_column(name, justify="right")
        counts = view.counts()
        table.add_row(f"{view.hung_up} of {'∞' if view.planned is None else view.planned}", *(str(counts[name]) for name in STATES))
        return table

    def _report(self, call_ids: list[str], findings: Findings) -> int:
        for problem in findings.problems:
            self._say(f"problem: {problem}")
        states = findings.states
        missing = self._calls is not None and len(call_ids) != self._calls
        if missing:
            self._say(f"problem: the recorder made {len(call_ids)} calls, not {self._calls}")
        self._say(
            f"demo: calls={len(call_ids)} scored={states['SCORED']} not_scorable={states['NOT_SCORABLE']} missing={states['MISSING']} "
            f"dead_lettered={states['ERROR']} pending={states['PENDING']} p95_end_to_score_s={findings.p95:.1f}"
        )
        return 1 if findings.problems or states["PENDING"] or missing else 0


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
