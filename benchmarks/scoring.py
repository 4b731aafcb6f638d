"""The scoring service alone, on one core: seconds of recording a second."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import cpu_seconds, forget_peak, peak_mib, settled_mib
from benchmarks.report import Report, Target, say, table
from voc_stream.devstack.errors import StackError
from voc_stream.devstack.ports import free_port
from voc_stream.devstack.recorder import folder
from voc_stream.devstack.recorder.arrivals import planned_calls
from voc_stream.devstack.recorder.recording import Recording
from voc_stream.devstack.recorder.studio import Script, Studio
from voc_stream.devstack.worker_process import ROOT

REAL_TIME = 25.0
AT_LEAST_SECONDS = 90.0
SPOKEN = 8
REAL_CALLS = ROOT.parent / "shared" / "data" / "audio"
_COLUMNS = ("call", "channels", "seconds", "outcome", "score", "words", "wall s", "CPU s", "x real time, wall", "x real time, CPU")


@dataclass(frozen=True, slots=True)
class Call:
    """A recording to score."""

    name: str
    recording: Recording


@dataclass(frozen=True, slots=True)
class Scored:
    """What a call took of the service."""

    call: Call
    outcome: str
    score: float | None
    words: int
    wall: float
    cpu: float

    def row(self) -> tuple[object, ...]:
        """Return a row of the table."""
        recording = self.call.recording
        speeds = (recording.seconds / self.wall, recording.seconds / self.cpu)
        score = "" if self.score is None else f"{self.score:.2f}"
        return (self.call.name, recording.channels, recording.seconds, self.outcome, score, self.words, self.wall, self.cpu, *speeds)


def measure() -> Report:
    """Score spoken dialogues, and the real calls where they are, one after the other on one CPU."""
    made = Path(tempfile.mkdtemp())
    try:
        calls = [*asyncio.run(_spoken(made)), *_real(made)]
        with _service() as (url, pid):
            _score(url, pid, calls[0])  # the first one pays for what is loaded lazily
            idle = settled_mib(pid)
            forget_peak(pid)
            scored = [_score(url, pid, call) for call in calls]
            peak = peak_mib(pid)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    table("scoring: tiny.en on one CPU, one call at a time", _COLUMNS, [each.row() for each in scored])
    return _report(scored, idle, peak)


def _report(scored: list[Scored], idle: float, peak: float) -> Report:
    seconds = sum(each.call.recording.seconds for each in scored)
    wall, cpu = sum(each.wall for each in scored), sum(each.cpu for each in scored)
    slowest = min(each.call.recording.seconds / each.cpu for each in scored)
    report = Report("scoring")
    report.add(
        {
            "calls": len(scored),
            "audio_s": seconds,
            "cpu_s": cpu,
            "wall_s": wall,
            "x_real_time_cpu": seconds / cpu,
            "x_real_time_wall": seconds / wall,
            "slowest_call_x": slowest,
            "idle_mib": idle,
            "peak_mib": peak,
        }
    )
    report.targets = [
        Target("real time a core (of CPU time), all calls", seconds / cpu, REAL_TIME, " x", at_least=True),
        Target("real time a core (of CPU time), the slowest call", slowest, REAL_TIME, " x", at_least=True),
    ]
    return report


async def _spoken(made: Path) -> list[Call]:
    studio = Studio(made)
    found: dict[str, Call] = {}
    try:
        for planned in planned_calls("plain", 1, 200):
            script = planned.segments[0].source
            if not isinstance(script, Script) or script.dialogue is None or script.dialogue in found:
                continue
            recording = await studio.record(script)
            if recording.seconds >= AT_LEAST_SECONDS:
                found[script.dialogue] = Call(script.dialogue, recording)
            if len(found) == SPOKEN:
                break
    finally:
        studio.close()
    return list(found.values())


def _real(made: Path) -> list[Call]:
    if not REAL_CALLS.is_dir():
        say("scoring: the real calls are not here: ../shared/data/audio is missing")
        return []
    return [Call(each.name, folder.open_call(each, made)[0]) for each in folder.find(REAL_CALLS)]


@contextmanager
def _service() -> Iterator[tuple[str, int]]:
    """Lend a scoring service on one CPU, with one job of one thread: its URL and process id."""
    port = free_port()
    cpu = max(os.sched_getaffinity(0))
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCORER_")}
    env |= {"SCORER_CPUS": str(cpu), "SCORER_ASR": "tiny.en", "SCORER_JOBS": "1", "SCORER_THREADS_PER_JOB": "1", "LOG_LEVEL": "warning"}
    command = ["taskset", "--cpu-list", str(cpu), sys.executable, "-m", "voc_stream.scoring", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            _until_ready(process, f"http://127.0.0.1:{port}/readyz")
            yield f"127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


def _until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - the service started here
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise StackError("the scoring service did not get ready")


def _score(address: str, pid: int, call: Call) -> Scored:
    body, content_type = _form(call)
    used, began = cpu_seconds(pid), time.monotonic()
    connection = http.client.HTTPConnection(address, timeout=600)
    try:
        connection.request("POST", "/v1/score", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        reply = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise StackError(f"{call.name} was not scored: {answer.status} {reply.get('detail')}")
    turns = (reply["transcript"] or {"turns": []})["turns"]
    words = sum(len(turn["text"].split()) for turn in turns)
    scored = Scored(call, reply["outcome"], reply["score"], words, time.monotonic() - began, cpu_seconds(pid) - used)
    say(f"scoring: {call.name}: {call.recording.seconds:.0f} s in {scored.wall:.1f} s")
    return scored


def _form(call: Call) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    metadata = json.dumps({"call_id": "1", "tenant_id": "bench", "expected_seconds": call.recording.seconds})
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n'
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="audio"; filename="audio"\r\nContent-Type: application/octet-stream\r\n\r\n'
    audio = b"".join(call.recording.chunks())
    return head.encode() + audio + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
