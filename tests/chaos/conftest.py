"""The crew: one stack and three workers for all tests of workers' troubles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.chaos.crew import PARTS, WITHOUT_WORDS, Crew
from benchmarks.field import Field


@pytest.fixture(scope="package")
def shared_crew() -> Iterator[Crew]:
    with Field(parts=PARTS, env=WITHOUT_WORDS) as place:
        crew = Crew(place, seed=6)
        try:
            crew.workers.start()
            yield crew
        finally:
            crew.workers.stop()


@pytest.fixture
def crew(shared_crew: Crew) -> Crew:
    """All three at work, whatever the test before did to them."""
    shared_crew.workers.wake()
    shared_crew.workers.mend()
    shared_crew.workers.wait_ready()
    return shared_crew
