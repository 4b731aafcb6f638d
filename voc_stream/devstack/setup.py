"""Topics, schemas and the bucket of a fresh stack, so that a worker needs no further step.

The same functions as ``faust -A voc_stream topics | migrate | bucket``, in one process of their own: what is there already is
verified and a difference is told, never altered.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping

from voc_stream.devstack.child import Child, Command
from voc_stream.devstack.folder import StackFolder

SERVERS = frozenset({"kafka", "postgres", "s3", "clickhouse"})
_TIMEOUT_SECONDS = 120.0


async def set_up(folder: StackFolder, endpoints: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run this module as a program against the stack; what it finds different is said aloud, and the stack goes on."""
    started = time.monotonic()
    log = folder.log("setup")
    log.write_bytes(b"")
    child = await Child.start(Command([sys.executable, "-m", __name__], env={**endpoints, "STACK_DIR": str(folder.root)}), log)
    try:
        code = await asyncio.wait_for(child.wait(), _TIMEOUT_SECONDS)
    except TimeoutError:
        code = None
    finally:
        await child.kill()
    if code == 0:
        say(f"{'setup':<11} topics, schemas and bucket in {time.monotonic() - started:.1f} s")
    else:
        say(f"{'setup':<11} NOT COMPLETE: it {child.ending()}; its last lines:\n{child.tail()}")
        say(f"{'':<11} the stack goes on with what it has; make clean-stack begins anew")


async def _main() -> int:
    from voc_stream import bucket, migrate, topic_admin
    from voc_stream.settings import load_settings

    settings = load_settings()
    codes: list[int] = await asyncio.gather(*(step.run(settings, print) for step in (topic_admin, migrate, bucket)))
    return max(codes)


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
