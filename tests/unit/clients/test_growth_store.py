"""What a worker asks PostgreSQL before it starts."""

from __future__ import annotations

import asyncio

from voc_stream.clients.growth_store import OpenGrowth, growth_at_start
from voc_stream.settings import load_settings
from voc_stream.worker import asked_before_the_loop


async def test_a_postgresql_that_is_down_says_nothing_and_the_worker_starts() -> None:
    settings = load_settings(postgres_dsn="postgresql://nobody@127.0.0.1:1/voc")
    assert await growth_at_start(settings) is None


def test_what_is_asked_before_there_is_an_event_loop_leaves_none_behind() -> None:
    async def question() -> asyncio.AbstractEventLoop:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    assert asked_before_the_loop(question()).is_closed()


def test_the_line_says_what_is_under_way_and_how_to_go_on() -> None:
    assert str(OpenGrowth(1, "events", 12, 24, "rows", {})) == (
        "the topics of events are growing from 12 to 24 partitions, and that is not finished: "
        "go on with `faust -A voc_stream partitions --apply`, then start the workers"
    )
