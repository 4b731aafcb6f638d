"""What the marks of tracing cost by themselves: the windows of a busy worker at their pace, without a receiver and with one, in this process.

Two whole runs of a worker differ by more than this: a difference of a few hundredths does not show in them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from benchmarks.filling import Headers
from voc_stream.runtime.ledger import PartitionLedger, RecordBatch
from voc_stream.runtime.traced_windows import traced
from voc_stream.runtime.window_parts import Part
from voc_stream.settings import Settings
from voc_stream.stages.ranges import ClaimId, Place
from voc_stream.stages.windows import Window
from voc_stream.tracing.current import step
from voc_stream.tracing.tracing import Tracing

# A worker with everything on and a backlog (docs/benchmarks.md): windows of so many events, so many events a second.
RECORDS = 3_000
EVENTS_A_SECOND = 20_000
WINDOWS = 150
# Of a window with everything on.
STEPS = ("redact", "annotate", "encode", "kafka send", "clickhouse insert", "composite")


@dataclass(frozen=True, slots=True)
class _Record:
    offset: int
    headers: Headers
    key: bytes = b""
    value: bytes = b""


async def cpu_us(settings: Settings, headers: Iterator[Headers]) -> float:
    """Return the CPU time of this process, in microseconds an event.

    Args:
        settings: TRACING_*.
        headers: of the events.
    """
    records = [_Record(offset, each) for offset, each in enumerate(islice(headers, RECORDS))]
    tracing = Tracing(settings)
    await tracing.open()
    began, used = time.monotonic(), time.process_time()
    for number in range(WINDOWS):
        _pass(tracing, records)
        await asyncio.sleep(max(0.0, began + (number + 1) * RECORDS / EVENTS_A_SECOND - time.monotonic()))
    await tracing.close()
    return (time.process_time() - used) / (WINDOWS * RECORDS) * 1e6


def _pass(tracing: Tracing, records: Sequence[_Record]) -> None:
    ledger = PartitionLedger(0, max_records=RECORDS, max_bytes=1 << 20)
    parts = [Part(RecordBatch("voc.calls", 0, records, ledger=ledger), 0, RECORDS)]
    window = Window(Place("1", "voc.calls", 0), ClaimId(1, 1), 0, RECORDS - 1, 0)
    with traced(tracing, window, parts, 0.1):
        for name in STEPS:
            with step(name):
                window.records = list(records)
