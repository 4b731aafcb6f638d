"""Those who mean no good, as fast as they are answered, from a process of its own: `python -m benchmarks.web_flood PORT SECONDS`.

They send what is no request, heads and bodies that are too large, and wrong credentials; others hold connections on which nothing comes. It prints a
line of JSON: answers by status.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from itertools import cycle

HOST = "127.0.0.1"
HASTY, SLOW = 64, 96
_HEAD = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
BAD = (
    b"\x00\x01\x02\x03\r\n\r\n",
    b"GET /calls" + _HEAD + b"Authorization: Bearer voc_0123456789abcdef.0123456789abcdef012345\r\n\r\n",
    b"GET /calls" + _HEAD + b"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.\r\n\r\n",
    b"GET /calls?q=" + b"y" * 10_000 + _HEAD + b"\r\n",
    b"GET /calls" + _HEAD + b"X: " + b"y" * 40_000 + b"\r\n\r\n",
    b"POST /dlq/discard" + _HEAD + b"Content-Length: 99999999999\r\n\r\n",
    b"GET /static/../../../etc/passwd" + _HEAD + b"\r\n",
)
_PATIENCE_SECONDS = 10.0


async def main(port: int, seconds: float) -> None:
    """Go on for so long."""
    # They would come from elsewhere: the processor's time is for those who are measured.
    os.nice(19)
    answered: Counter[str] = Counter()
    until = time.monotonic() + seconds
    await asyncio.gather(*(_hasty(port, until, answered) for _ in range(HASTY)), *(_slow(port, until) for _ in range(SLOW)))
    sys.stdout.write(json.dumps(answered) + "\n")


async def _hasty(port: int, until: float, answered: Counter[str]) -> None:
    for said in cycle(BAD):
        if time.monotonic() > until:
            return
        try:
            answered[await asyncio.wait_for(_status(port, said), _PATIENCE_SECONDS)] += 1
        except (OSError, TimeoutError) as error:
            answered[type(error).__name__] += 1


async def _status(port: int, said: bytes) -> str:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(said)
        head = await reader.read(12)
        return head[9:12].decode("latin-1") or "closed"
    finally:
        writer.close()


async def _slow(port: int, until: float) -> None:
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.write(b"GET /calls HTTP/1.1\r\nHo")
        try:
            await asyncio.wait_for(reader.read(1), max(0.0, until - time.monotonic()))
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
