"""The steps by which partitions grow: what forbids to begin, in which order they come, and that any of them may be cut short."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from voc_stream.clients.growth_store import Ends, OpenGrowth
from voc_stream.clients.partition_admin import partition_of
from voc_stream.clients.topic_reader import Stretch
from voc_stream.errors import OutageError
from voc_stream.runtime.outgoing import Outgoing
from voc_stream.services.carrying import Carrying
from voc_stream.services.growing import STEPS, Growing
from voc_stream.settings import Settings, load_settings
from voc_stream.stages.growth import Growth, GrowthRefusedError
from voc_stream.topics import CALLS, EVENTS, Family, families

Log = dict[int, list[SimpleNamespace]]


@dataclass
class Kafka:
    """Topics as lists of records; it fails when it is told to, half done."""

    settings: Settings
    logs: dict[str, Log] = field(default_factory=dict)
    group: dict[tuple[str, int], int] = field(default_factory=dict)
    at_work: int = 0
    fails_in: int = 1 << 30

    def write(self, topic: str, partition: int, key: bytes, value: bytes | None) -> int:
        records = self.logs[topic][partition]
        records.append(SimpleNamespace(topic=topic, partition=partition, offset=len(records), key=key, value=value))
        return len(records) - 1

    def commit_all(self) -> None:
        self.group = {(topic, number): len(records) for topic, log in self.logs.items() for number, records in log.items()}

    def _may_fail(self) -> None:
        self.fails_in -= 1
        if self.fails_in < 0:
            raise OutageError("kafka", "cut short")

    async def members(self, group: str) -> int:
        assert group == self.settings.kafka_group_id
        return self.at_work

    async def grow(self, wanted: Mapping[str, int]) -> None:
        for topic, count in wanted.items():
            self._may_fail()
            self.logs[topic] |= {number: [] for number in range(len(self.logs[topic]), count)}

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        sent = []
        for record in records:
            self._may_fail()
            assert record.partition is not None
            sent.append(self.write(record.topic, record.partition, record.key or b"", record.value))
        return sent

    async def committed(self) -> dict[tuple[str, int], int]:
        return self.group

    async def stretches(self, topic: str, since: datetime, until: datetime | None = None) -> dict[int, Stretch]:
        del since, until
        return {number: Stretch(0, len(records), 0) for number, records in self.logs[topic].items()}

    async def read(self, topic: str, stretches: Mapping[int, tuple[int, int]]) -> AsyncIterator[Sequence[Any]]:
        for number, (first, end) in stretches.items():
            if records := self.logs[topic][number][first:end]:
                yield records


@dataclass
class Notes:
    """PostgreSQL's row."""

    open: OpenGrowth | None = None
    steps: list[str] = field(default_factory=list)
    finished: Mapping[str, object] | None = None

    async def begin(self, growth: Growth, ends: Ends, actor: str) -> OpenGrowth:
        assert actor == "cli:ann"
        self.open = OpenGrowth(1, growth.family, growth.before, growth.after, "", ends)
        return self.open

    async def withdraw(self, growth: OpenGrowth) -> None:
        assert growth.step == ""
        self.open = None

    async def done(self, growth: OpenGrowth, step: str) -> None:
        self.steps.append(step)
        self.open = replace(growth, step=step)

    async def finish(self, growth: OpenGrowth, actor: str, after: Mapping[str, object]) -> None:
        assert actor == "cli:ann"
        self.open, self.finished = None, after
        del growth


class Scene:
    """Calls that were seen, on two partitions that become four."""

    def __init__(self, name: str = CALLS) -> None:
        self.settings = load_settings(kafka_call_partitions=4, kafka_event_partitions=4)
        self.family: Family = next(each for each in families(self.settings) if each.name == name)
        self.kafka = Kafka(self.settings, {topic: {0: [], 1: []} for topic in self.family.topics})
        self.notes = Notes()
        self.said: list[str] = []
        self.slept: list[float] = []
        self.growth = Growth(name, 2, 4, self.family.topics)
        self.growing = Growing(
            settings=self.settings,
            admin=self.kafka,
            reader=self.kafka,
            store=self.notes,
            carrying=Carrying(self.settings, self.kafka, self.kafka),
            echo=self.said.append,
            actor="cli:ann",
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def seen(self, count: int) -> set[bytes]:
        assert self.family.changelog is not None
        keys = {b"call-%d" % number for number in range(count)}
        for key in sorted(keys):
            self.kafka.write(self.family.changelog, partition_of(key, 2), key, b"7 4102444800")
        return keys

    def known(self) -> dict[bytes, set[int]]:
        """Return where each call is known to have been seen."""
        found: dict[bytes, set[int]] = {}
        for number, records in self.kafka.logs[self.family.changelog or ""].items():
            for record in records:
                found.setdefault(record.key, set()).add(number)
        return found


async def test_every_key_is_known_where_it_goes_and_the_sources_grow_last() -> None:
    scene = Scene()
    keys = scene.seen(50)
    scene.kafka.commit_all()
    begun = await scene.growing.begin(scene.family, scene.growth)
    await scene.growing.go_on(begun, scene.family)

    assert {topic: len(log) for topic, log in scene.kafka.logs.items()} == dict.fromkeys(scene.family.topics, 4)
    assert scene.known() == {key: {partition_of(key, 2), partition_of(key, 4)} for key in keys}
    assert scene.notes.steps == list(STEPS)
    assert STEPS[-1] == "topics"
    assert scene.notes.finished == {"partitions": 4, "late": 0}


async def test_cut_short_anywhere_the_same_again_ends_the_same() -> None:
    whole = Scene()
    whole.seen(20)
    await whole.growing.go_on(await whole.growing.begin(whole.family, whole.growth), whole.family)
    for moment in range(40):
        scene = Scene()
        scene.seen(20)
        begun = await scene.growing.begin(scene.family, scene.growth)
        scene.kafka.fails_in = moment
        try:
            await scene.growing.go_on(begun, scene.family)
        except OutageError:
            assert scene.notes.open is not None
            scene.kafka.fails_in = 1 << 30
            await scene.growing.go_on(scene.notes.open, scene.family)
        assert scene.known() == whole.known()
        assert {topic: len(log) for topic, log in scene.kafka.logs.items()} == {topic: len(log) for topic, log in whole.kafka.logs.items()}
        assert scene.notes.open is None


async def test_workers_in_the_group_and_records_that_wait_are_named_and_nothing_begins() -> None:
    scene = Scene()
    scene.kafka.write("calls.raw", 1, b"c", b"{}")
    scene.kafka.at_work = 2
    lines = await scene.growing.obstacles(scene.family, 2)

    assert lines == [
        "workers are in the group voc-processor (2): stop them first (one that was killed is in it for another 10 s)",
        "calls.raw[1]: 1 records are not done with",
    ]
    with pytest.raises(GrowthRefusedError, match="workers are in the group"):
        await scene.growing.begin(scene.family, scene.growth)
    assert scene.notes.open is None, "it was taken back"


async def test_a_worker_that_joins_in_the_moment_in_which_it_begins_is_seen() -> None:
    scene = Scene()

    async def joins(_seconds: float) -> None:
        assert scene.notes.open is not None, "who looks now sees it"
        scene.kafka.at_work = 1

    with pytest.raises(GrowthRefusedError, match="workers are in the group"):
        await replace(scene.growing, sleep=joins).begin(scene.family, scene.growth)
    assert scene.notes.open is None


async def test_somebody_who_writes_meanwhile_stops_it() -> None:
    scene = Scene()

    async def writes(_seconds: float) -> None:
        scene.kafka.write("calls.polled", 0, b"c", b"{}")
        scene.kafka.commit_all()

    with pytest.raises(GrowthRefusedError, match="somebody writes to the topics"):
        await replace(scene.growing, sleep=writes).begin(scene.family, scene.growth)


async def test_records_that_came_to_an_old_partition_later_are_told() -> None:
    scene = Scene()
    begun = await scene.growing.begin(scene.family, scene.growth)
    scene.kafka.write("calls.polled", 1, b"c", b"{}")
    await scene.growing.go_on(begun, scene.family)

    assert scene.said[-1] == "calls.polled[1]: 1 records were written meanwhile; copies of them that come later may be stored again"
    assert scene.notes.finished == {"partitions": 4, "late": 1}


async def test_a_worker_at_work_between_two_steps_is_a_reason_not_to_go_on() -> None:
    scene = Scene()
    begun = await scene.growing.begin(scene.family, scene.growth)
    scene.kafka.at_work = 1
    with pytest.raises(GrowthRefusedError, match="workers are in the group"):
        await scene.growing.go_on(begun, scene.family)
    assert scene.notes.open is not None


async def test_of_the_known_topics_only_those_that_the_group_reads_must_be_done_with() -> None:
    scene = Scene(EVENTS)
    scene.settings = load_settings(kafka_topics="voc.calls")
    scene.kafka.write("voc.metrics", 0, b"", b"{}")
    growing = replace(scene.growing, settings=scene.settings)
    assert await growing.obstacles(scene.family, 2) == []
    scene.kafka.write("voc.calls", 0, b"", b"{}")
    assert await growing.obstacles(scene.family, 2) == ["voc.calls[0]: 1 records are not done with"]
