"""Closing a consumer whose fetches wait for a broker is not being cancelled."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from aiokafka.consumer.fetcher import Fetcher

from voc_stream.runtime.fetch_close import close_fetchers_whole


async def test_a_consumer_is_closed_whole_while_its_fetches_wait_to_try_again() -> None:
    close_fetchers_whole()
    close_fetchers_whole()
    fetches = {asyncio.create_task(asyncio.sleep(3600)) for _ in range(3)}
    fetcher = SimpleNamespace(_closed=False, _fetch_task=asyncio.create_task(asyncio.sleep(3600)), _fetch_waiters=set(), _pending_tasks=set(fetches))
    await asyncio.sleep(0)
    await Fetcher.close(fetcher)

    assert all(fetch.cancelled() for fetch in fetches)
    assert fetcher._fetch_task.cancelled()
