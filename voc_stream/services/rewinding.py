"""What is to be read again after a restore, and what ClickHouse is told from PostgreSQL at once (docs/adr/0033)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from voc_stream import topics
from voc_stream.clients.call_store import CallStore
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.clients.restored_places import CallsPlace, EventsPlace, Restored
from voc_stream.clients.topic_reader import TopicReader, time_of
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.runtime.stage import Publishes
from voc_stream.services.composite import Composite
from voc_stream.settings import Settings
from voc_stream.stages.history import read_rows
from voc_stream.stages.ranges import Place, decode_row, encode_row
from voc_stream.stages.rewinding import Move, Standing, ledger_rows, moves

Offsets = dict[tuple[str, int], int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Results are exported out of order, and after outages.
_RESULTS_BEFORE = timedelta(days=1)
_LETTERS_BEFORE = timedelta(minutes=10)


@dataclass(slots=True)
class Plan:
    """What `rewind` would do.

    Attributes:
        restored: the databases that were.
        events: moves of topics of customer events.
        calls: moves of `calls.raw`.
        letters: offsets of the dead letters' group.
        waiting: calls that wait for a record which is behind the group; 0 unless PostgreSQL was restored.
        untold: partitions of which only another incarnation is stored.
        wait: seconds until windows that are stored and not committed are too old to be sent under tokens, of which a restored ClickHouse knows none.
    """

    restored: set[str]
    events: list[Move] = field(default_factory=list)
    calls: list[Move] = field(default_factory=list)
    letters: Offsets = field(default_factory=dict)
    waiting: int = 0
    untold: list[tuple[str, int]] = field(default_factory=list)
    wait: float = 0.0

    @property
    def nothing(self) -> bool:
        """Whether the databases are as far as the group."""
        return not (self.events or self.calls or self.waiting or self.letters or self.wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewinding:
    """Asks and fills. Its methods raise `OutsideError`s.

    Args:
        events: ClickHouse.
        calls: PostgreSQL.
        warehouse: takes results.
        store: has results.
        composite: takes results, too.
        publisher: for whoever writes the ledger's rows.
        reader: of the group's topics.
        settings: KAFKA_*, CLICKHOUSE_TOKEN_SECONDS.
    """

    events: EventsPlace
    calls: CallsPlace
    warehouse: Warehouse
    store: CallStore
    composite: Composite
    publisher: Publishes
    reader: TopicReader
    settings: Settings

    async def plan(self, restored: Iterable[str]) -> Plan:
        """Compare databases, group and topics.

        Args:
            restored: databases that are known to have been restored, besides those of which `restore` tells.
        """
        told = await self.calls.restored()
        plan, committed = Plan({*restored, *(name for each in told for name in each.places)}), await self.reader.committed()
        if "clickhouse" in plan.restored:
            await self._plan_events(plan, committed, _floors(told, "clickhouse"))
        if "postgres" in plan.restored:
            await self._plan_calls(plan, committed, _floors(told, "postgres"))
        return plan

    async def _plan_events(self, plan: Plan, committed: Offsets, floors: Offsets) -> None:
        stored = await self.events.stored()
        standings: list[Standing] = []
        for topic in dict.fromkeys((*self.settings.kafka_topics, topics.VOC_OVERFLOW)):
            found = await self._standings(topic, committed, {place[1]: end for place, end in stored.ends.items() if place[0] == topic})
            plan.untold += [(each.topic, each.partition) for each in found if (each.topic, each.partition) in stored.foreign]
            standings += _raised((each for each in found if (each.topic, each.partition) not in stored.foreign), floors)
        plan.events = moves(standings)
        if any(each.committed is not None and each.stored > each.committed for each in standings):
            plan.wait = await self._tokens_last()

    async def _plan_calls(self, plan: Plan, committed: Offsets, floors: Offsets) -> None:
        stored = await self.calls.enriched(topics.CALLS_RAW)
        plan.calls = moves(_raised(await self._standings(topics.CALLS_RAW, committed, stored), floors))
        plan.waiting = await self.calls.waiting()
        plan.letters = await self._letters()

    async def fill(self) -> int:
        """Tell ClickHouse the results that PostgreSQL has and it has not, and bring composite scores together; return how many results."""
        as_of, newest = await self.calls.as_of(), await self.events.newest_result()
        known = [moment.replace(tzinfo=UTC) for moment in (as_of, newest) if moment is not None]
        since = _EPOCH if newest is None or not known else min(known) - _RESULTS_BEFORE
        told = 0
        async for some in self.calls.results(since):
            missing = set(await self.events.missing(some))
            results = [result for each in some if (result := await self.store.result(*each)) is not None]
            absent = [result for result in results if (result.call_id, result.model_version) in missing]
            await self.warehouse.insert_scores(absent, f"rewind:{datetime.now(UTC).isoformat()}:{some[0][0]}")
            await self.composite.scored(results)
            told += len(absent)
        return told

    async def _standings(self, topic: str, committed: Offsets, stored: dict[int, int]) -> list[Standing]:
        found = await self.reader.stretches(topic, _EPOCH)
        return [
            Standing(topic, number, committed.get((topic, number)), stored.get(number, 0), each.begins, each.end)
            for number, each in found.items()
            if each.end > 0
        ]

    async def _letters(self) -> Offsets:
        as_of = await self.calls.as_of()
        since = _EPOCH if as_of is None else as_of - _LETTERS_BEFORE
        offsets: Offsets = {}
        for name in topics.dead_letter_topics(self.settings):
            offsets |= {(name, number): each.first for number, each in (await self.reader.stretches(name, since)).items() if each.first < each.end}
        return offsets

    async def _tokens_last(self) -> float:
        name = f"{self.settings.kafka_group_id}-{topics.EVENT_RANGES}-changelog"
        ends = {number: (each.end - 1, each.end) for number, each in (await self.reader.stretches(name, _EPOCH)).items() if each.end > each.begins}
        newest = _EPOCH
        async for records in self.reader.read(name, ends):
            newest = max(newest, *(time_of(record) for record in records))
        return max(0.0, self.settings.clickhouse_token_seconds + 1 - (datetime.now(UTC) - newest).total_seconds())

    async def ledger(self, events: Sequence[Move]) -> list[Outgoing]:
        """Return what the ledger of windows must hold before these partitions are read again."""
        name = f"{self.settings.kafka_group_id}-{topics.EVENT_RANGES}-changelog"
        by_partition: defaultdict[int, list[Move]] = defaultdict(list)
        for move in events:
            by_partition[move.partition].append(move)
        stretches = await self.reader.stretches(name, _EPOCH)
        rows: list[Outgoing] = []
        for partition, some in by_partition.items():
            known: dict[bytes, bytes | None] = {}
            places = {move: Place(self.settings.kafka_incarnation, move.topic, partition) for move in some}
            prefixes = tuple(place.prefix for place in places.values())
            stretch = stretches[partition]
            async for records in self.reader.read(name, {partition: (stretch.begins, stretch.end)}):
                known |= {record.key: record.value for record in records if record.key.startswith(prefixes)}
            for move, place in places.items():
                history = read_rows(decode_row(value) for key, value in known.items() if value and key.startswith(place.prefix))
                rows += [Outgoing(name, row.key(place), encode_row(row), partition=partition) for row in ledger_rows(history, move.to)]
        return rows


def _floors(told: Iterable[Restored], name: str) -> Offsets:
    """Return the offsets before which the backup has everything: of the last restore of that database."""
    newest = [each for each in told if name in each.places][-1:]
    return {(topic, number): offset for each in newest for topic, offsets in each.offsets.items() for number, offset in offsets.items()}


def _raised(standings: Iterable[Standing], floors: Offsets) -> list[Standing]:
    """Return the standings, none of them below its floor: what ends with duplicates or dead letters is stored further than its rows tell."""
    return [replace(each, stored=max(each.stored, floors.get((each.topic, each.partition), 0))) for each in standings]
