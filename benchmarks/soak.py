"""Load, trouble at random and planted personal data for as long as it is told: `python -m benchmarks.soak` (docs/chaos.md)."""

from __future__ import annotations

import json
import logging
import random
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from benchmarks.chaos.canaries import leaks
from benchmarks.chaos.crew import PARTS, WITHOUT_WORDS, Crew
from benchmarks.chaos.troubles import Troubles
from benchmarks.chaos.watching import Watch
from benchmarks.command import run
from benchmarks.field import Field
from benchmarks.report import say
from benchmarks.rival_process import PYTHON
from voc_stream.devstack.worker_process import ROOT

PLOT = ROOT / "docs" / "img" / "soak.svg"
# So short that tables are swept while it runs.
_SETTINGS = {"DEDUP_WINDOW_SECONDS": "600"}
_EVENTS_A_SECOND = 100
_SECONDS_A_CALL = 5
# What "none grows" means, between the second and the last quarter of a process's life.
_MOST_GROWTH = {"rss_mib": 48.0, "files": 16.0, "threads": 8.0}


@click.command()
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(min=1.0))
@click.option("--seed", default=None, type=int, help="Of what happens; another each time by default.")
def main(minutes: float, seed: int | None) -> None:
    """Keep three workers busy and make trouble; then count, look for personal data, and draw what they took."""
    # What Kafka's clients say while the broker is down is not what this is about.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - luck, not secrets
    say(f"soak: {minutes:g} minutes, seed {seed}")
    seconds = minutes * 60
    canary = f"canary{secrets.token_hex(12)}"
    with Field(parts=PARTS, env=WITHOUT_WORDS) as place:
        crew = Crew(place, seed, _SETTINGS)
        troubles = Troubles(crew, seed)
        try:
            crew.workers.start()
            crew.workers.wait_ready()
            load = crew.load(events=int(_EVENTS_A_SECOND * seconds), calls=int(seconds / _SECONDS_A_CALL), seconds=seconds, seed=seed)
            crew.plant(canary)
            with Watch(crew) as watch:
                troubles.make(seconds)
                result = crew.finish(load)
            crew.workers.wait_ready()
            problems = [*result.problems, *(f"{name} is in the clear: {', '.join(found)}" for name, found in leaks(crew, [canary]).items())]
        finally:
            crew.workers.stop()
    grown = {figure: watch.growth(0, figure) for figure in _MOST_GROWTH}
    problems += [f"{figure} grew by {grown[figure]:.1f}" for figure, most in _MOST_GROWTH.items() if grown[figure] > most]
    problems += [f"a worker that was told to stop ended with {code}" for code in troubles.wrong_stops]
    _draw(watch, troubles.happened)
    for problem in problems:
        say(f"problem: {problem}")
    say(f"{load.events} events, {len(load.calls)} calls, {len(troubles.happened)} troubles, {result.ended_by_themselves} workers ended by themselves")
    print(
        f"soak: minutes={minutes:g} rss_growth_mb={grown['rss_mib']:.1f} fd_growth={grown['files']:.0f} "
        f"lost={result.lost} duplicated={result.duplicated}"
    )
    sys.exit(1 if problems or result.lost or result.duplicated else 0)


def _draw(watch: Watch, happened: Sequence[tuple[float, str]]) -> None:
    if not PYTHON.exists():
        say("no plot: the environment with matplotlib is not there (make soak makes it)")
        return
    data = {"samples": [asdict(sample) for sample in watch.samples], "lags": watch.lags, "happened": happened}
    command = [str(PYTHON), "-m", "benchmarks.rivals.plot_soak", str(PLOT)]
    subprocess.run(command, input=json.dumps(data), text=True, cwd=ROOT, check=True, timeout=60)
    say(f"plot: {PLOT.relative_to(ROOT)}")


if __name__ == "__main__":
    run(main, "soak")
