"""Those who ask the people's side while the pipeline works."""

from __future__ import annotations

import asyncio
import random
import time

import aiohttp

from voc_stream.devstack.errors import StackError

REQUESTS_A_SECOND = 50
# A reader who clicks on.
_ANSWER_SECONDS = 10.0
_LISTS = (
    "",
    "&sort=score",
    "&status=SCORED&score_to=60",
    "&topic=complaint",
    "&agent_id=agent1003",
    "&skill=billing&sentiment_to=-0.5",
)


class Readers:
    """Those who ask, each moment somebody, whether or not the one before has an answer.

    Args:
        address: of the people's side.
        token: for all tenants.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        self.summaries: list[float] = []
        self.lists: list[float] = []
        self._refusals: list[str] = []

    async def read(self, seconds: float) -> None:
        """Ask for so long.

        Raises:
            StackError: an answer was not 200.
        """
        chance = random.Random(1)  # noqa: S311 - the same questions each time
        # A client that takes little of the processor: readers have machines of their own.
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        async with aiohttp.ClientSession(self._address, headers=self._headers, timeout=timeout) as client:
            began = time.monotonic()
            async with asyncio.TaskGroup() as asked:
                for number in range(int(seconds * REQUESTS_A_SECOND)):
                    tenant = "acme" if chance.random() < 0.5 else f"tenant{chance.randrange(10)}"
                    asked.create_task(self._ask(client, number, tenant))
                    await asyncio.sleep(max(0.0, began + (number + 1) / REQUESTS_A_SECOND - time.monotonic()))
        if self._refusals:
            raise StackError(f"{len(self._refusals)} answers were not 200, the first: {self._refusals[0]}")

    async def _ask(self, client: aiohttp.ClientSession, number: int, tenant: str) -> None:
        if number % 2:
            path, took = f"/calls?tenant_id={tenant}{_LISTS[number // 2 % len(_LISTS)]}", self.lists
        elif number % 4:
            path, took = f"/metrics/summary?tenant_id={tenant}&days=7", self.summaries
        else:
            path, took = f"/tenants/{tenant}/summary?days=7", self.summaries
        began = time.perf_counter()
        try:
            async with client.get(path) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._refusals.append(f"{path}: {error!r}")
            return
        took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            self._refusals.append(f"{path}: {answer.status} {text[:200]}")
