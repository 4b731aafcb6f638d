"""aiokafka's `getmany` that only counts, for scale: nothing is decoded, stored or committed."""

from __future__ import annotations

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer

from benchmarks.rivals.work import job


async def main() -> None:
    """Count until killed; tell the sink every so many."""
    work = job()
    consumer = AIOKafkaConsumer(
        work.topic, bootstrap_servers=work.bootstrap, group_id=work.group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    async with aiohttp.ClientSession() as session:
        while True:
            fetched = await consumer.getmany(timeout_ms=2000, max_records=5000)
            count = sum(map(len, fetched.values()))
            if count:
                async with session.post(f"{work.sink}/counted/{count}") as answer:
                    answer.raise_for_status()


if __name__ == "__main__":
    uvloop.run(main())
