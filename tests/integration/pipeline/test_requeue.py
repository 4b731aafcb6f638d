"""A call that failed for good comes back by requeue, and is scored once."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.integration.pipeline.pipeline import Pipeline
from voc_stream import topics
from voc_stream.devstack.worker_process import ROOT


async def dlq(pipeline: Pipeline, *arguments: str) -> list[str]:
    """Run `faust -A voc_stream dlq …` on the stack; returns what it says."""
    env = {"STACK_DIR": str(pipeline.stack.folder.absolute()), "STATE_DIR": str(pipeline.workshop.folder / "cli")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "faust", "-A", "voc_stream", "dlq", *arguments,
        cwd=ROOT, env=os.environ | env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    return said.decode().splitlines()


async def test_a_call_in_error_is_scored_after_the_newest_of_its_letters_goes_back(pipeline: Pipeline) -> None:
    (call_id,) = await pipeline.spoken(1, hang_up="never")
    fault = await pipeline.fault("error", status=500, inum=call_id)
    await pipeline.hang_up(call_id)
    await pipeline.until_status([call_id], "ERROR")
    await pipeline.errors_are_due(call_id)

    async def letters(count: int) -> list[int]:
        return [row["id"] for row in await pipeline.rows("SELECT id FROM dead_letter WHERE call_id = $1 ORDER BY id", call_id)][:count]

    async def both_are_stored_and_the_call_is_given_up() -> bool:
        row = await pipeline.row("SELECT status, redrives, next_attempt_at FROM call WHERE call_id = $1", call_id)
        return len(await letters(2)) == 2 and tuple(row.values()) == ("ERROR", 1, None)

    await pipeline.until("two letters of a call that is given up", both_are_stored_and_the_call_is_given_up)
    await pipeline.mend(fault)
    older, newest = map(str, await letters(2))

    tried = await dlq(pipeline, "requeue", older, newest, "--dry-run")
    assert tried[-1] == "dlq dry run: letters=2 pass=0 fail=0 unknown=2 barred=0"
    assert await dlq(pipeline, "requeue", older, newest, "--yes") == ["dlq requeue: chosen=2 sent=1 along=1 left_open=0"]

    await pipeline.until_status([call_id], "SCORED")
    await pipeline.until_settled([call_id])
    await pipeline.assert_consistent([call_id])
    first, *_, last = await pipeline.read(topics.CALLS_ENRICHED, [call_id])
    assert (first.key, first.value) == (last.key, last.value)
    assert [name for name, _ in last.headers] == ["voc-requeue"]
    told = await pipeline.rows("SELECT stage, status FROM call_event WHERE call_id = $1 AND what = 'requeued'", call_id)
    assert [tuple(row.values()) for row in told] == [("download", "PENDING_DOWNLOAD")]
