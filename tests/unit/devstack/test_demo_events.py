"""The demo's customer events: each that was sent must be stored, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from voc_stream.devstack import demo_events
from voc_stream.devstack.demo_events import Counts, DemoEvents
from voc_stream.events.voc import decode_voc
from voc_stream.generator.send import Event
from voc_stream.settings import Settings

# When the worker was started: it may store a call's event before any other is sent.
BEFORE = datetime(2026, 11, 22, 10, tzinfo=UTC)


class World:
    """A Kafka that takes everything at once, and a ClickHouse that has what of it `keep` lets through."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.lost = 0
        self.twice = 0
        self.looks_until_there = 0
        self.acknowledged = 0
        self.since: object = None
        self.sent = asyncio.Event()

    def __call__(self, *_args: object, **_options: object) -> World:
        return self

    async def run(self, events: Iterable[Event]) -> None:
        self.ids = [str(decode_voc(value).event_id) for _, _, value in events]
        self.acknowledged = len(self.ids)
        self.sent.set()

    def stop(self) -> None:
        pass

    async def query(self, statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
        self.since = parameters["since"]
        rows = [*self.ids[self.lost :], *self.ids[: self.twice]]
        if self.looks_until_there:
            self.looks_until_there -= 1
            rows = rows[:10]
        return [{"n": len(rows)}] if "count()" in statement else [{"id": one} for one in (*rows, "somebody else's")]

    async def close(self) -> None:
        pass


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(demo_events, "Warehouse", made)
    monkeypatch.setattr(demo_events, "Generator", made)
    return made


def _events() -> DemoEvents:
    return DemoEvents(Settings(), once=True, say=lambda _line: None, since=BEFORE)


async def test_it_waits_until_all_that_was_sent_is_stored(world: World) -> None:
    world.looks_until_there = 1
    async with _events() as events:
        await world.sent.wait()
        assert await events.settled([world.ids[0]]) == Counts(3000, 3000)
        assert events.all_sent
        assert await events.counts() == Counts(3000, 3000)


@pytest.mark.parametrize(("lost", "twice", "stored"), [(7, 0, 2993), (0, 5, 3005)])
async def test_what_is_lost_or_stored_twice_shows(world: World, monkeypatch: pytest.MonkeyPatch, lost: int, twice: int, stored: int) -> None:
    world.lost, world.twice = lost, twice
    monkeypatch.setattr(demo_events, "PATIENCE_SECONDS", 0.0)
    async with _events() as events:
        await world.sent.wait()
        assert await events.settled(()) == Counts(3000, stored)


async def test_events_of_calls_count_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_events, "PATIENCE_SECONDS", 0.0)
    async with _events() as events:
        await world.sent.wait()
        assert await events.settled(["a call's"]) == Counts(3001, 3000)


async def test_what_the_worker_stored_before_the_first_was_sent_counts(world: World) -> None:
    async with _events() as events:
        await world.sent.wait()
        await events.settled(())
    assert world.since == BEFORE
