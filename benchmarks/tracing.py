"""What tracing costs a worker of customer events: off, and at 1 %, in turns over the same events, all of which carry their producer's context."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.black_hole import black_hole
from benchmarks.contest import FULL, Contestant, Run, fill_course
from benchmarks.field import Field
from benchmarks.filling import Headers
from benchmarks.report import Report, Target, table
from benchmarks.rivals_part import PARTS
from benchmarks.tracing_marks import RECORDS, WINDOWS, cpu_us
from voc_stream.devstack.errors import StackError
from voc_stream.settings import Settings

RATIO = 0.01
MOST_PERCENT = 3.0
LEAST_ROUNDS = 5
MARKED_ROUNDS = 3
_GOLDEN = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835


@dataclass(slots=True)
class Spans:
    """A receiver that counts."""

    url: str
    count: int = 0
    cpu_seconds: float = 0.0


def measure(events: int, rounds: int) -> Report:
    """Let a worker with everything on store the same events, with and without tracing."""
    off: list[Run] = []
    on: list[Run] = []
    with Field(parts=PARTS) as field, black_hole(int(field.settings.clickhouse_port)) as hole, receiver() as spans:
        course = fill_course(field, hole, events, producers())
        traced = Contestant("t", "voc-stream, tracing at 1 %", FULL.guarantee, settings={"TRACING_ENDPOINT": spans.url, "TRACING_RATIO": str(RATIO)})
        for number in range(max(rounds, LEAST_ROUNDS)):
            for contestant, runs in ((FULL, off), (traced, on))[:: 1 if number % 2 else -1]:
                runs.append(course.run(contestant))
        if not spans.count:
            raise StackError("no span came: nothing was traced")
        told = spans.count // len(on)
        marks = median(_marks(field.settings, spans) for _ in range(MARKED_ROUNDS))
    return _report(off, on, told, marks)


def _marks(settings: Settings, spans: Spans) -> float:
    """Return what the marks and the spans cost, in CPU microseconds an event, the receiver's own time taken off."""
    without = asyncio.run(cpu_us(settings, producers()))
    before = spans.cpu_seconds
    with_it = asyncio.run(cpu_us(settings.model_copy(update={"tracing_endpoint": spans.url, "tracing_ratio": RATIO}), producers()))
    return with_it - without - (spans.cpu_seconds - before) / (WINDOWS * RECORDS) * 1e6


def producers() -> Iterator[Headers]:
    """Yield the headers of producers that trace 1 % themselves: every event has a context, one in a hundred a recorded one."""
    for number in itertools.count(1):
        trace_id = number * _GOLDEN & (1 << 128) - 1
        yield [("traceparent", b"00-%032x-%016x-%02x" % (trace_id, trace_id >> 64 | 1, number % round(1 / RATIO) == 0))]


@contextmanager
def receiver() -> Iterator[Spans]:
    """Lend a receiver of OTLP/HTTP that forgets, in a thread of this process, which nobody measures."""
    spans = Spans("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            began = time.thread_time()
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            spans.count += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
            spans.cpu_seconds += time.thread_time() - began
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    spans.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield spans
    finally:
        server.shutdown()
        server.server_close()


def _report(off: list[Run], on: list[Run], spans: int, marks: float) -> Report:
    without, with_it = (median(run.cpu_us for run in runs) for runs in (off, on))
    rows = [
        (name, round(median(run.per_second for run in runs)), round(cost, 2), round(min(run.cpu_us for run in runs), 2), told)
        for name, runs, cost, told in (("off", off, without, 0), ("1 %", on, with_it, spans))
    ]
    title = f"tracing: everything on, one worker, every event with a traceparent; {len(on)} rounds, medians"
    table(title, ("tracing", "events/s", "CPU µs", "least CPU µs", "spans a run"), rows)
    cost = 100 * marks / without
    differ = 100 * (with_it / without - 1)
    figures = {"cpu_off_us": without, "cpu_1pct_us": with_it, "runs_differ_percent": differ, "marks_us": marks, "cost_percent": cost}
    report = Report("tracing", figures=figures)
    report.targets = [Target("CPU of marks, spans and their way to the receiver, of an event's without", cost, MOST_PERCENT, " %")]
    return report
