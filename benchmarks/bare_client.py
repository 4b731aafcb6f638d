"""What a client reaches that throws the recordings away: the most that the recorder, the network and this machine allow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from voc_stream.settings import Settings

_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class Bare:
    """What it found.

    Args:
        per_second: recordings, without the first and the last rounds.
        latency: mean seconds of one replay, from the request to the last byte.
    """

    per_second: float
    latency: float


def bare_client(settings: Settings, calls: Sequence[str], in_flight: int) -> Bare:
    """Read all recordings, so many at once, into nothing."""
    return asyncio.run(_read_all(settings, calls, in_flight))


async def _read_all(settings: Settings, calls: Sequence[str], in_flight: int) -> Bare:
    places = asyncio.Semaphore(in_flight)
    spans: list[tuple[float, float]] = []
    account = aiohttp.encode_basic_auth(settings.avaya_username, settings.avaya_password.get_secret_value())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": account}) as session:

        async def read(call: str) -> None:
            async with places:
                began = time.monotonic()
                async with session.get(settings.avaya_url, params={"command": "replay", "id": call}) as response:
                    response.raise_for_status()
                    async for _ in response.content.iter_chunked(_CHUNK):
                        pass
                spans.append((began, time.monotonic()))

        await asyncio.gather(*(read(call) for call in calls))
    ends = sorted(end for _, end in spans)
    # Whole rounds: answers come in bursts, of which half a one would count for all.
    first, last = in_flight, (len(ends) // in_flight - 1) * in_flight
    return Bare((last - first) / (ends[last] - ends[first]), sum(end - began for began, end in spans) / len(spans))
