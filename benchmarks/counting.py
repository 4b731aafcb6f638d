"""The runtime alone: records a second through an agent that only counts (`benchmarks.runtime`), on a Kafka of its own."""

from __future__ import annotations

import asyncio
import os

from benchmarks import runtime
from benchmarks.field import Field
from benchmarks.report import Report, Target, say

RECORDS = 1_000_000
A_CORE = 100_000.0


def measure() -> Report:
    """Count a million records of 420 bytes."""
    with Field(parts=("kafka",)) as field:
        say(f"runtime: {RECORDS} records")
        before = os.environ.get("STACK_DIR")
        os.environ["STACK_DIR"] = str(field.folder)
        try:
            found = asyncio.run(runtime.main(RECORDS))
        finally:
            if before is None:
                del os.environ["STACK_DIR"]
            else:
                os.environ["STACK_DIR"] = before
    report = Report("runtime", figures={name: float(value) for name, value in found.items()})
    report.targets = [Target("records a second and core", found["per_core_second"], A_CORE, at_least=True)]
    return report
