"""Lets the partitions of a family of topics grow, step by step; after a kill the same again goes on where it was (docs/partitions.md, ADR 34)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from voc_stream import topics
from voc_stream.clients.growth_store import Ends, OpenGrowth
from voc_stream.clients.topic_reader import Stretch
from voc_stream.services.carrying import Carrying, Reads
from voc_stream.settings import Settings
from voc_stream.stages.growth import Growth, GrowthRefusedError
from voc_stream.topics import Family

# A worker that looked before the growth was written down, and joins after it, is seen by then.
SETTLE_SECONDS = 5.0
# In this order: a letter lies in the partition of its record; and the topics come last, when the new partitions know what was seen.
CHECKED = "checked"
STEPS = (CHECKED, "letters", "changelog", "rows", "topics")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Step = Callable[[OpenGrowth, Family], Awaitable[str]]


def steps_after(step: str) -> tuple[str, ...]:
    """Return what is still to be done when a step is done; all, the checks included, after none."""
    return STEPS[STEPS.index(step) + 1 :] if step else STEPS


class Admin(Protocol):
    """What is needed of Kafka's administration."""

    async def members(self, group: str) -> int:
        """Return how many are in a group."""

    async def grow(self, wanted: Mapping[str, int]) -> None:
        """Give topics more partitions."""


class Reader(Reads, Protocol):
    """What is needed of Kafka's records and offsets."""

    async def committed(self) -> dict[tuple[str, int], int]:
        """Return where the group stands."""

    async def stretches(self, topic: str, since: datetime, until: datetime | None = None) -> dict[int, Stretch]:
        """Return what was written since then, by partition."""


class Store(Protocol):
    """What is needed of PostgreSQL."""

    async def begin(self, growth: Growth, ends: Ends, actor: str) -> OpenGrowth:
        """Write down that it begins."""

    async def withdraw(self, growth: OpenGrowth) -> None:
        """Forget one that has done nothing yet."""

    async def done(self, growth: OpenGrowth, step: str) -> None:
        """Write down that a step is done."""

    async def finish(self, growth: OpenGrowth, actor: str, after: Mapping[str, object]) -> None:
        """Write down that it is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """Does it.

    Args:
        settings: KAFKA_*.
        carrying: of the tables' rows.
        echo: takes each line of what was done.
        actor: for the audit log.
        sleep: how to wait; replaced in tests.
    """

    settings: Settings
    admin: Admin
    reader: Reader
    store: Store
    carrying: Carrying
    echo: Callable[[str], None]
    actor: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def obstacles(self, family: Family, before: int) -> list[str]:
        """Return what forbids to begin, a line each: somebody at work, or records that are not done with.

        Args:
            family: of topics.
            before: how many of their partitions the group knows.
        """
        lines = await self._at_work()
        committed = await self.reader.committed()
        for topic in self._read(family):
            found = await self.reader.stretches(topic, _EPOCH)
            for number in sorted(found)[:before]:
                begins, end = found[number].begins, found[number].end
                first = max(begins, committed.get((topic, number), begins))
                if await self._any(topic, number, first, end):
                    lines.append(f"{topic}[{number}]: {end - first} records are not done with")
        return lines

    async def begin(self, family: Family, growth: Growth) -> OpenGrowth:
        """Write down that it begins, after which no worker may, and look once more whether it may; if not, nothing was done.

        Raises:
            GrowthRefusedError: somebody is at work, or something is not done.
            OutsideError: a server failed.
        """
        begun = await self.store.begin(growth, await self._ends(family, growth.before), self.actor)
        try:
            await self.sleep(SETTLE_SECONDS)
            await self._refuse_unrest(begun, family)
        except BaseException:
            await self.store.withdraw(begun)
            raise
        await self.store.done(begun, CHECKED)
        return replace(begun, step=CHECKED)

    async def go_on(self, growth: OpenGrowth, family: Family) -> None:
        """Do what is not done yet.

        Raises:
            GrowthRefusedError: a worker is at work although none may be.
            OutsideError: a server failed; the same again goes on.
        """
        steps: dict[str, Step] = {"letters": self._letters, "changelog": self._changelog, "rows": self._rows, "topics": self._topics}
        for name in steps_after(growth.step):
            if lines := await self._at_work():
                raise GrowthRefusedError(lines[0])
            self.echo(f"{family.name}: {await steps[name](growth, family)}")
            await self.store.done(growth, name)
        late = await self._late(growth, family)
        for line in late:
            self.echo(line)
        await self.store.finish(growth, self.actor, {"partitions": growth.after, "late": len(late)})

    async def _refuse_unrest(self, growth: OpenGrowth, family: Family) -> None:
        if lines := await self.obstacles(family, growth.before):
            raise GrowthRefusedError(lines[0])
        if await self._ends(family, growth.before) != growth.ends:
            raise GrowthRefusedError(f"{family.name}: somebody writes to the topics: stop the producers first")
        await self.carrying.refuse_open_windows(growth, family)

    async def _letters(self, growth: OpenGrowth, family: Family) -> str:
        return await self._grow(growth, family.letters)

    async def _changelog(self, growth: OpenGrowth, family: Family) -> str:
        return await self._grow(growth, (family.changelog,)) if family.changelog else "no table"

    async def _rows(self, growth: OpenGrowth, family: Family) -> str:
        return f"{await self.carrying.carry(growth, family)} rows of the table carried over to the new partitions"

    async def _topics(self, growth: OpenGrowth, family: Family) -> str:
        return await self._grow(growth, family.sources)

    async def _grow(self, growth: OpenGrowth, names: Collection[str]) -> str:
        await self.admin.grow(dict.fromkeys(names, growth.after))
        return f"{growth.after} partitions: {', '.join(names)}"

    async def _late(self, growth: OpenGrowth, family: Family) -> list[str]:
        """Tell of records that came to an old partition while everybody should be silent: copies of them that come later may go to another one."""
        now = await self._ends(family, growth.before)
        return [
            f"{topic}[{number}]: {now[topic][number] - end} records were written meanwhile; copies of them that come later may be stored again"
            for topic, ends in growth.ends.items()
            for number, end in enumerate(ends)
            if topic in now and now[topic][number] > end
        ]

    async def _at_work(self) -> list[str]:
        group = self.settings.kafka_group_id
        if not (members := await self.admin.members(group)):
            return []
        session = f"{self.settings.kafka_session_timeout:g} s"
        return [f"workers are in the group {group} ({members}): stop them first (one that was killed is in it for another {session})"]

    async def _any(self, topic: str, number: int, first: int, end: int) -> bool:
        """Whether there is a record: offsets at a topic's end may hold the marks of transactions only."""
        if first < end:
            async for _ in self.reader.read(topic, {number: (first, end)}):
                return True
        return False

    async def _ends(self, family: Family, before: int) -> dict[str, list[int]]:
        found = {topic: await self.reader.stretches(topic, _EPOCH) for topic in self._read(family)}
        return {topic: [stretches[number].end for number in sorted(stretches)[:before]] for topic, stretches in found.items()}

    def _read(self, family: Family) -> tuple[str, ...]:
        """Return the topics that the group reads."""
        return (*self.settings.kafka_topics, topics.VOC_OVERFLOW) if family.name == topics.EVENTS else family.sources
