"""The stack's life: nothing is left behind, a death is told, data outlives a restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import asyncpg
import psutil
import pytest

from voc_stream.devstack.errors import StackError
from voc_stream.devstack.folder import StackFolder
from voc_stream.devstack.stack import Stack

_GONE_SECONDS = 30.0
_STARTER = """
import pathlib, sys
from voc_stream.devstack.stack import Stack
stack = Stack(pathlib.Path(sys.argv[1]), parts=("clickhouse",), any_ports=True)
stack.start()
print(stack.pid, flush=True)
sys.stdin.read()
"""


def _processes(stack: Stack) -> list[psutil.Process]:
    supervisor = psutil.Process(stack.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def _assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=_GONE_SECONDS)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_stopping_by_sigterm_leaves_no_process_and_no_endpoints(small_stack: Stack) -> None:
    processes = _processes(small_stack)
    assert len(processes) > 3
    small_stack.stop()
    _assert_gone(processes)
    assert small_stack.endpoints == {}
    with pytest.raises(StackError, match="no stack is running"):
        small_stack.status()


def test_killing_the_supervisor_leaves_no_process_either(small_stack: Stack) -> None:
    processes = _processes(small_stack)
    processes[0].kill()
    _assert_gone(processes)


def test_the_stack_ends_when_the_program_that_started_it_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    process = subprocess.Popen([sys.executable, "-c", _STARTER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    supervisor = psutil.Process(int(process.stdout.readline()))
    processes = [supervisor, *supervisor.children(recursive=True)]
    process.kill()
    process.communicate(timeout=_GONE_SECONDS)
    _assert_gone(processes)


def test_a_part_that_dies_is_told_with_its_last_log_lines_and_the_others_go_on(tmp_path: Path) -> None:
    told = threading.Event()
    lines: list[str] = []

    def listen(line: str) -> None:
        lines.append(line)
        if "start it again" in line:
            told.set()

    stack = Stack(tmp_path / "stack", parts=("clickhouse", "recorder"), any_ports=True, recorder_args=("--calls", "0"), on_line=listen)
    with stack:
        victim = next(p for p in _processes(stack) if "voc_stream.devstack.recorder" in p.cmdline())
        victim.kill()
        assert told.wait(_GONE_SECONDS)
        text = "\n".join(lines)
        assert "recorder    DIED: it was killed by SIGKILL; its last lines:\n    recorder simulator: http" in text
        assert stack.status() == {"clickhouse": "running", "recorder": "dead: it was killed by SIGKILL"}
        stack.start_part("recorder")
        assert stack.status()["recorder"] == "running"


def test_a_deliberate_stop_is_not_told_as_a_death(shared_stack: Stack) -> None:
    shared_stack.stop_part("clickhouse")
    assert shared_stack.status()["clickhouse"] == "stopped"
    shared_stack.start_part("clickhouse")
    shared_stack.kill("clickhouse")
    assert shared_stack.status()["clickhouse"] == "killed"
    shared_stack.start_part("clickhouse")
    assert not any("DIED" in line for line in shared_stack.lines)


def test_a_second_stack_in_the_same_folder_is_refused_in_one_line(shared_stack: Stack) -> None:
    with pytest.raises(StackError) as refusal:
        Stack(shared_stack.folder, parts=("clickhouse",), any_ports=True).start()
    assert str(refusal.value) == f"the stack in {shared_stack.folder} is already running (pid {shared_stack.pid})"
    assert shared_stack.endpoints


def test_a_running_stack_cannot_be_cleaned_away(shared_stack: Stack) -> None:
    command = [sys.executable, "-m", "voc_stream.devstack", "clean", "--dir", str(shared_stack.folder)]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already running" in refused.stderr
    assert shared_stack.status()["postgres"] == "running"


async def test_the_database_role_owns_its_database_and_is_no_superuser(shared_stack: Stack) -> None:
    connection = await asyncpg.connect(shared_stack.endpoints["POSTGRES_DSN"], timeout=10)
    try:
        assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        await connection.execute("CREATE TABLE mine (a int)")
    finally:
        await connection.close(timeout=5)


async def test_rows_outlive_a_kill_of_the_database_and_a_restart_of_the_stack(shared_stack: Stack) -> None:
    connection = await asyncpg.connect(shared_stack.endpoints["POSTGRES_DSN"], timeout=10)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS a")
    await connection.close(timeout=5)
    shared_stack.kill("postgres")
    shared_stack.start_part("postgres")
    shared_stack.stop()
    shared_stack.start()
    connection = await asyncpg.connect(shared_stack.endpoints["POSTGRES_DSN"], timeout=10)
    assert await connection.fetchval("SELECT a FROM kept") == 7
    await connection.close(timeout=5)


def test_a_part_that_cannot_start_stops_the_stack_with_its_reason(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", parts=("recorder", "clickhouse"), any_ports=True, recorder_args=("--no-such-option",))
    with pytest.raises(StackError, match=r"recorder: it ended with code 2 before it was ready(.|\n)*No such option"):
        stack.start()
    stack.stop()
    StackFolder(stack.folder).remove()


def test_ctrl_c_while_starting_stops_in_order(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "voc_stream.devstack", "up", "--any-ports", "--dir", str(tmp_path / "stack"), "--only", "clickhouse"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lock = tmp_path / "stack" / "logs" / "clickhouse.log"
    while not lock.exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=_GONE_SECONDS)
    assert process.returncode == 0
    assert "stopping" in output
