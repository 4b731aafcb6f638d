"""`python -m benchmarks.adaptive`: every scenario in a table; seconds of CPU, no server, no clock but a simulated one."""

from __future__ import annotations

import sys

from benchmarks.adaptive.scenarios import SCENARIOS, Scenario
from benchmarks.adaptive.simulation import Outcome
from benchmarks.report import CONSOLE, shown, table

# Of the optimum, for the mean of what is in flight.
WITHIN = 0.2
# Of the best there is, for the answers a second: below it, throughput has collapsed.
AT_LEAST = 0.8
_COLUMNS = ("scenario", "optimum", "mean in flight", "off by %", "places a worker", "a second", "of the best %", "refused %", "Vector expects")


def good(scenario: Scenario, outcome: Outcome) -> bool:
    """Return whether the mean is near the optimum and throughput has not collapsed."""
    return abs(outcome.at_once / scenario.optimum - 1) <= WITHIN and outcome.per_second >= AT_LEAST * scenario.best


def _row(scenario: Scenario, outcome: Outcome) -> tuple[object, ...]:
    return (
        scenario.name,
        scenario.optimum,
        outcome.at_once,
        100 * (outcome.at_once / scenario.optimum - 1),
        " ".join(shown(limit) for limit in outcome.limits),
        outcome.per_second,
        100 * outcome.per_second / scenario.best,
        100 * outcome.refused,
        scenario.published,
    )


def main() -> int:
    """Print the table; the exit code is 1 if a scenario missed."""
    outcomes = [(scenario, scenario.run()) for scenario in SCENARIOS]
    table("adaptive concurrency, floor 1, ceiling 32", _COLUMNS, [_row(scenario, outcome) for scenario, outcome in outcomes])
    missed = [scenario.name for scenario, outcome in outcomes if not good(scenario, outcome)]
    CONSOLE.print(f"bench-adaptive: scenarios={len(outcomes)} within_20_percent={len(outcomes) - len(missed)} missed={', '.join(missed) or 'none'}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
