"""What `rewind` would do, told from databases, group and topics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from voc_stream.clients.restored_places import Restored, Stored
from voc_stream.clients.topic_reader import Stretch
from voc_stream.rewind import told
from voc_stream.services.rewinding import Plan, Rewinding
from voc_stream.settings import load_settings
from voc_stream.stages.rewinding import Move

AS_OF = datetime(2026, 11, 22, 3, tzinfo=UTC)


class Reader:
    """Two partitions a topic, of which the first has 100 records and the second none."""

    def __init__(self, committed: int, begins: int = 0) -> None:
        self._committed = committed
        self._begins = begins

    async def committed(self) -> dict[tuple[str, int], int]:
        return {("voc.calls", 0): self._committed, ("calls.raw", 0): self._committed}

    async def stretches(self, topic: str, since: datetime) -> dict[int, Stretch]:
        del since
        first = Stretch(0, 100, self._begins) if topic in {"voc.calls", "calls.raw", "voc.calls.dlq"} else Stretch(0, 0, 0)
        return {0: first, 1: Stretch(0, 0, 0)}


class Places:
    """Both databases."""

    def __init__(self, *, stored: int, restored: tuple[Restored, ...] = (), foreign: bool = False) -> None:
        self._stored = stored
        self._restored = restored
        self._foreign = foreign

    async def stored(self) -> Stored:
        return Stored({}, frozenset({("voc.calls", 0)})) if self._foreign else Stored({("voc.calls", 0): self._stored}, frozenset())

    async def restored(self) -> list[Restored]:
        return list(self._restored)

    async def enriched(self, topic: str) -> dict[int, int]:
        assert topic == "calls.raw"
        return {0: self._stored}

    async def waiting(self) -> int:
        return 2

    async def as_of(self) -> datetime:
        return AS_OF


async def planned(places: Places, reader: Reader, *restored: str) -> Plan:
    unused: Any = None
    given: Any = places
    read: Any = reader
    settings = load_settings(kafka_topics="voc.calls")
    rewinding = Rewinding(
        events=given, calls=given, warehouse=unused, store=unused, composite=unused, publisher=unused, reader=read, settings=settings
    )
    return await rewinding.plan(restored)


async def test_without_a_restore_nothing_is_set_back_however_far_the_databases_seem_to_be() -> None:
    plan = await planned(Places(stored=10), Reader(100))
    assert plan.nothing
    assert not plan.restored


async def test_an_older_clickhouse_moves_events_only() -> None:
    plan = await planned(Places(stored=40), Reader(100), "clickhouse")
    assert plan.events == [Move("voc.calls", 0, 100, 40, 60, 40, 40)]
    assert (plan.calls, plan.waiting, plan.letters, plan.wait) == ([], 0, {}, 0.0)


async def test_an_older_postgres_moves_calls_and_dead_letters_only() -> None:
    plan = await planned(Places(stored=40), Reader(100), "postgres")
    assert plan.calls == [Move("calls.raw", 0, 100, 40, 60, 40, 40)]
    assert (plan.events, plan.waiting, plan.letters) == ([], 2, {("voc.calls.dlq", 0): 0})


async def test_what_the_group_had_done_before_the_backup_is_not_read_again_though_no_row_tells_of_it() -> None:
    restored = (
        Restored(("clickhouse",), {"voc.calls": {0: 20}}),
        Restored(("clickhouse",), {"voc.calls": {0: 90}}),
        Restored(("postgres",), {"voc.calls": {0: 95}, "calls.raw": {0: 100}}),
    )
    plan = await planned(Places(stored=40, restored=restored), Reader(100))
    assert plan.events == [Move("voc.calls", 0, 100, 90, 10, 90, 90)]
    assert plan.calls == []


async def test_a_partition_of_another_incarnation_is_left_alone_and_told() -> None:
    plan = await planned(Places(stored=40, foreign=True), Reader(100), "clickhouse")
    assert (plan.events, plan.untold) == ([], [("voc.calls", 0)])
    lines: list[str] = []
    told(plan, lines.append)
    assert lines == ["voc.calls[0]: left as it is, ClickHouse holds another KAFKA_INCARNATION of it only"]


async def test_what_is_lost_is_named() -> None:
    plan = await planned(Places(stored=40), Reader(100, begins=70), "clickhouse")
    lines: list[str] = []
    told(plan, lines.append)
    assert lines == [
        "voc.calls[0]: from 100 to 70, 30 offsets are read again",
        "voc.calls[0]: offsets 40 to 69 are in no database and gone from Kafka: 30 events are lost, at most",
    ]
