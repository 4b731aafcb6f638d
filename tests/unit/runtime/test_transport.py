"""The consumer that owns the offsets, without Kafka: what it hands on, what it goes back for, what it commits (ADR 0002)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from tests.unit.runtime.world import TOPIC, record
from voc_stream.errors import OutageError
from voc_stream.runtime.intake import Intake
from voc_stream.runtime.ledger import RecordBatch
from voc_stream.runtime.transport import Consumer, ConsumerThread, DataLossError

SOURCE = TP(TOPIC, 0)
OTHER = TP(TOPIC, 1)
CHANGELOG = TP("changelog", 0)


class FakeConsumer(Consumer):
    """The consumer on a broker in memory: `log` holds its records, `fetched` what the next fetches bring.

    Attributes:
        delivered: what agents got, in order.
        soughts: where the fetcher was sent, in order.
        commits: what was committed.
    """

    def __init__(self, *, max_records: int = 1000) -> None:
        self.app = SimpleNamespace(
            intake=Intake(max_records=max_records, grace=0.0),
            consumer_generation_id=1,
            should_stop=False,
            monitor=SimpleNamespace(track_tp_end_offset=lambda *_: None),
            topics=SimpleNamespace(acks_enabled_for=lambda topic: topic == TOPIC),
            tables=SimpleNamespace(changelog_topics={"changelog"}, recovery=SimpleNamespace(active_tps=set(), active_offsets={}, tp_to_table={})),
        )
        self.intake = self.app.intake
        self.flow_active = True
        self.can_resume_flow, self.suspend_flow, self.not_waiting_next_records = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._next_offset, self._sought, self._gone_back, self._behind, self._full = {}, {}, {}, set(), set()
        self._active_partitions: set[TP] = {SOURCE, OTHER}
        self._paused_partitions: set[TP] = set()
        self._committed_offset: dict[TP, int | None] = {SOURCE: None, OTHER: None}
        self._read_offset: dict[TP, int | None] = {SOURCE: None, OTHER: None, CHANGELOG: None}
        self._unacked_messages: Any = set()
        self._commit_fut: asyncio.Future[None] | None = None
        self.assigned = {SOURCE, OTHER}
        self.stored: dict[TP, int | None] = {}
        self.earliest: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}
        self.fetched: list[dict[TP, list[ConsumerRecord]]] = []
        self.delivered: list[Any] = []
        self.soughts: list[dict[TP, int]] = []
        self.commits: list[dict[TP, int]] = []
        self.slept: list[float] = []

    @property
    def should_stop(self) -> bool:
        return False

    def assignment(self) -> set[TP]:
        return self.assigned

    def highwater(self, tp: TP) -> int:
        return self.ends.get(tp, 0)

    async def callback(self, message: Any) -> None:
        self._unacked_messages.add(id(message))
        self.delivered.append(message)

    async def wait_first(self, *coros: Any, **_: Any) -> None:
        await coros[0]
        coros[1].close()

    async def wait(self, event: Any) -> None:
        await event.wait()

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ARG002, ASYNC109 - the base class's signature
        await asyncio.sleep(0)
        return self.fetched.pop(0) if self.fetched else {}

    async def perform_seek(self) -> None:
        """Seek and go on, as Faust does."""
        await super().perform_seek()
        self.resume_flow()

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        return {tp: self.stored.get(tp) for tp in self.assigned}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        if not set(partitions) <= self.assigned:
            raise IllegalStateError
        self.soughts.append(dict(partitions))

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        return {tp: self.earliest.get(tp, 0) for tp in partitions}

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        return {tp: self.ends.get(tp, 1000) for tp in partitions}

    async def commit(self, *_: Any, **__: Any) -> bool:
        offsets = self._filter_committable_offsets(tuple(self._filter_tps_with_pending_acks()))
        self._committed_offset.update(offsets)
        self.commits.append(offsets)
        return bool(offsets)

    def _to_message(self, tp: TP, record: Any) -> Any:
        return SimpleNamespace(tp=tp, offset=record.offset)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def fetches(self, *offsets: int, tp: TP = SOURCE) -> None:
        """Let the next fetch bring records of these offsets."""
        self.fetched.append({tp: [record(offset, partition=tp.partition) for offset in offsets]})
        await self._fetch_and_deliver()

    def batches(self) -> list[RecordBatch]:
        return [message.value for message in self.delivered if isinstance(message.value, RecordBatch)]

    def offsets(self) -> list[list[int]]:
        return [[each.offset for each in batch.records] for batch in self.batches()]


@pytest.fixture
async def consumer() -> FakeConsumer:
    made = FakeConsumer()
    await made.perform_seek()
    made.soughts.clear()
    return made


# one event per fetched batch


async def test_a_fetch_of_a_partition_is_one_message_whose_value_is_the_batch(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1, 2)

    (message,) = consumer.delivered
    assert message.tp == SOURCE
    assert message.offset == 0
    assert message.generation_id == 1
    assert consumer.offsets() == [[0, 1, 2]]


async def test_records_below_the_read_position_are_skipped(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1, 2)
    await consumer.fetches(1, 2, 3, 4)
    await consumer.fetches(3, 4)

    assert consumer.offsets() == [[0, 1, 2], [3, 4]]


async def test_changelog_records_go_the_stock_way_one_by_one(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1, 2, tp=CHANGELOG)

    assert [message.offset for message in consumer.delivered] == [0, 1, 2]
    assert consumer._read_offset[CHANGELOG] == 2


# what is put aside is fetched again


async def test_records_of_an_older_generation_are_not_handed_on_and_are_fetched_again(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1)
    consumer.fetched = [{SOURCE: [record(2), record(3)]}]
    getmany = consumer._getmany

    async def rebalanced_meanwhile(active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - the base class's signature
        consumer.app.consumer_generation_id = 2
        return await getmany(active_partitions, timeout)

    consumer._getmany = rebalanced_meanwhile  # type: ignore[method-assign]
    await consumer._fetch_and_deliver()
    assert consumer.offsets() == [[0, 1]]

    await consumer.fetches(2, 3)
    assert consumer.soughts == [{SOURCE: 2}]
    assert consumer.offsets() == [[0, 1], [2, 3]]


async def test_the_generation_counts_from_when_flow_resumes_not_from_before_the_rebalance(consumer: FakeConsumer) -> None:
    consumer.stop_flow()
    consumer.fetched = [{SOURCE: [record(0)]}]
    fetching = asyncio.create_task(consumer._fetch_and_deliver())
    await asyncio.sleep(0)
    consumer.app.consumer_generation_id = 2
    consumer.resume_flow()
    await fetching

    assert consumer.offsets() == [[0]]


async def test_records_that_come_while_flow_is_suspended_are_fetched_again_and_running_work_still_counts(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1)
    getmany = consumer._getmany

    async def suspended_meanwhile(active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - the base class's signature
        consumer.flow_active = False
        return await getmany(active_partitions, timeout)

    consumer._getmany = suspended_meanwhile  # type: ignore[method-assign]
    await consumer.fetches(2)
    consumer.batches()[0].resolve_all()
    assert consumer._new_offset(SOURCE) == 2, "the ledger was not closed under the running work"

    consumer._getmany = getmany  # type: ignore[method-assign]
    consumer.flow_active = True
    await consumer.fetches(2)
    assert consumer.soughts == [{SOURCE: 2}]
    assert consumer.offsets() == [[0, 1], [2]]


async def test_nothing_is_handed_on_before_the_group_s_offsets_are_known(consumer: FakeConsumer) -> None:
    consumer._next_offset.clear()
    await consumer.fetches(7)
    assert consumer.delivered == []

    await consumer.perform_seek()
    await consumer.fetches(0)
    assert consumer.soughts == [{SOURCE: 0, OTHER: 0}, {SOURCE: 0}]


async def test_nothing_is_handed_on_between_a_seek_and_the_flow_s_resumption_which_empties_the_queues_of_the_agents(consumer: FakeConsumer) -> None:
    """Faust seeks while records are fetched, then empties the queues: a record that was in one was never worked on, its offset never passed."""
    await Consumer.perform_seek(consumer)
    await consumer.fetches(0)
    assert consumer.delivered == []

    consumer.resume_flow()
    await consumer.fetches(0)
    assert consumer.soughts[-1] == {SOURCE: 0}
    assert consumer.offsets() == [[0]]


async def test_a_seek_that_a_rebalance_overtook_says_nothing_of_the_next_generation(consumer: FakeConsumer) -> None:
    await Consumer.perform_seek(consumer)
    await consumer.wait_empty()
    consumer.resume_flow()
    await consumer.fetches(0)
    assert consumer.delivered == []


async def test_a_hole_is_gone_back_for_once_and_accepted_when_it_is_one(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1)
    await consumer.fetches(5, 6)
    assert consumer.offsets() == [[0, 1]]

    await consumer.fetches(5, 6)
    assert consumer.soughts == [{SOURCE: 2}]
    assert consumer.offsets() == [[0, 1], [5, 6]]

    for batch in consumer.batches():
        batch.resolve_all()
    assert consumer._new_offset(SOURCE) == 7


async def test_a_hole_that_was_none_loses_nothing(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1)
    await consumer.fetches(5, 6)
    await consumer.fetches(2, 3, 4, 5, 6)

    assert consumer.offsets() == [[0, 1], [2, 3, 4, 5, 6]]


async def test_a_partition_that_is_revoked_just_then_is_not_gone_back_to(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1)
    await consumer.fetches(5)
    consumer.assigned = {OTHER}
    await consumer._fetch_and_deliver()

    assert consumer.soughts == []


# lost records


@pytest.mark.parametrize(
    ("earliest", "end", "says"),
    [
        (12, 20, "notes[0]: records 5 to 11 are gone from Kafka before they were read (retention too short?)"),
        (0, 3, "notes[0]: the group read up to 5 but the topic ends at 3 (made anew, or lost its tail)"),
    ],
)
async def test_records_lost_before_they_were_read_stop_the_worker_with_a_line_that_names_them(
    consumer: FakeConsumer, earliest: int, end: int, says: str
) -> None:
    consumer.stored = {SOURCE: 5}
    consumer.earliest, consumer.ends = {SOURCE: earliest}, {SOURCE: end}
    with pytest.raises(DataLossError) as caught:
        await consumer.perform_seek()

    assert str(caught.value) == says


async def test_records_lost_while_the_worker_runs_stop_it_too(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1)
    consumer.earliest = {SOURCE: 30}
    with pytest.raises(DataLossError, match="records 2 to 29 are gone"):
        await consumer.fetches(30)


async def test_a_topic_made_anew_while_the_worker_runs_stops_it(consumer: FakeConsumer) -> None:
    await consumer.fetches(*range(10))
    consumer.ends = {SOURCE: 2}
    with pytest.raises(DataLossError, match="read up to 10 but the topic ends at 2"):
        await consumer.fetches(0, 1)


@pytest.mark.parametrize(("stored", "begins"), [({}, 40), ({SOURCE: 45}, 45)])
async def test_a_group_begins_at_its_offset_or_at_the_earliest_record(consumer: FakeConsumer, stored: dict[TP, int], begins: int) -> None:
    consumer.stored, consumer.earliest = dict(stored), {SOURCE: 40}
    await consumer.perform_seek()

    assert consumer.soughts[-1][SOURCE] == begins


# offsets


async def test_the_commit_position_is_the_end_of_the_resolved_prefix(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1, 2)
    (batch,) = consumer.batches()
    batch.resolve(0)
    batch.resolve(2)
    await consumer.commit()
    batch.resolve(1)
    await consumer.commit()
    await consumer.commit()

    assert consumer.commits == [{SOURCE: 1}, {SOURCE: 3}, {}]


async def test_a_resolved_batch_is_forgotten_by_faust(consumer: FakeConsumer) -> None:
    await consumer.fetches(0)
    (message,) = consumer.delivered
    assert not message.acked
    consumer.batches()[0].resolve_all()

    assert message.acked
    assert not consumer.ack(message)


@pytest.mark.parametrize("topics", [None, {TOPIC}, {SOURCE}])
async def test_committing_can_be_asked_for_a_topic_or_a_partition(consumer: FakeConsumer, topics: Iterable[Any] | None) -> None:
    await consumer.fetches(0)

    assert list(consumer._filter_tps_with_pending_acks(topics)) == [SOURCE]
    assert list(consumer._filter_tps_with_pending_acks({"other"})) == []


async def test_a_revoked_partition_has_no_position(consumer: FakeConsumer) -> None:
    await consumer.fetches(0)
    consumer.intake.close()

    assert consumer._new_offset(SOURCE) is None


# bounds


async def test_a_full_partition_alone_is_paused_until_half_of_it_is_resolved() -> None:
    consumer = FakeConsumer(max_records=4)
    await consumer.perform_seek()
    await consumer.fetches(0, 1, 2, 3)
    assert consumer._active_partitions == {OTHER}

    (batch,) = consumer.batches()
    batch.resolve(0)
    await consumer._fetch_and_deliver()
    assert consumer._active_partitions == {OTHER}
    batch.resolve(3)
    await consumer._fetch_and_deliver()
    assert consumer._active_partitions == {SOURCE, OTHER}


async def test_a_full_partition_is_fetched_again_after_a_seek() -> None:
    consumer = FakeConsumer(max_records=2)
    await consumer.perform_seek()
    await consumer.fetches(0, 1)
    assert SOURCE not in consumer._active_partitions
    await consumer.perform_seek()

    assert SOURCE in consumer._active_partitions


# stop and rebalance


async def test_before_revocation_what_is_resolved_is_committed_and_the_rest_forgotten(consumer: FakeConsumer) -> None:
    await consumer.fetches(0, 1, 2)
    (batch,) = consumer.batches()
    batch.resolve(0)
    consumer.not_waiting_next_records.set()
    await consumer.wait_empty()
    batch.resolve(1)

    assert consumer.commits == [{SOURCE: 1}]
    assert consumer.intake.unresolved() == 0
    assert not batch.live


async def test_revocation_waits_for_a_fetch_under_way_so_that_none_reaches_into_the_next_generation(consumer: FakeConsumer) -> None:
    consumer.not_waiting_next_records.clear()
    emptying = asyncio.create_task(consumer.wait_empty())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not emptying.done()
    consumer.not_waiting_next_records.set()
    await emptying


async def test_a_commit_under_way_is_waited_for_and_what_was_resolved_since_is_committed(consumer: FakeConsumer) -> None:
    await consumer.fetches(0)
    consumer.batches()[0].resolve_all()
    consumer.not_waiting_next_records.set()
    under_way: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    consumer._commit_fut = under_way
    emptying = asyncio.create_task(consumer.wait_empty())
    await asyncio.sleep(0)
    assert consumer.commits == []
    under_way.set_result(None)
    await emptying

    assert consumer.commits == [{SOURCE: 1}]


async def test_a_commit_that_hangs_and_another_one_after_it_do_not_hold_up_a_stop(consumer: FakeConsumer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr("voc_stream.runtime.transport.COMMIT_TIMEOUT", 0.01)
    monkeypatch.setattr(consumer, "commit", never)
    consumer.not_waiting_next_records.set()
    consumer._commit_fut = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(5.0):
        await consumer.wait_empty()

    assert consumer.intake.unresolved() == 0


async def test_a_last_commit_that_hangs_does_not_hold_up_the_rebalance(consumer: FakeConsumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voc_stream.runtime.transport.COMMIT_TIMEOUT", 0.0)
    await consumer.fetches(0)
    consumer._commit_fut = asyncio.get_running_loop().create_future()
    await consumer.wait_empty()

    assert consumer.intake.unresolved() == 0


class FakeStore:
    """A table's RocksDB: what was applied; `faults` are raised by the next writes."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.faults: list[Exception] = []

    def restore(self, tp: TP, records: Iterable[Any]) -> None:
        assert tp == CHANGELOG
        if self.faults:
            raise self.faults.pop()
        self.applied += [record.offset for record in records]


def recovering(consumer: FakeConsumer, *, position: int = -1) -> FakeStore:
    store, recovery = FakeStore(), consumer.app.tables.recovery
    recovery.active_tps.add(CHANGELOG)
    recovery.active_offsets[CHANGELOG] = position
    recovery.tp_to_table[CHANGELOG] = SimpleNamespace(data=store)
    return store


async def test_a_changelog_is_applied_by_the_fetch_and_faust_sees_the_last_record_only() -> None:
    consumer = FakeConsumer()
    store = recovering(consumer, position=1)
    await consumer.fetches(0, 1, 2, 3, tp=CHANGELOG)
    await consumer.fetches(4, 5, tp=CHANGELOG)

    assert store.applied == [2, 3, 4, 5], "what was applied before is not applied again"
    assert consumer.app.tables.recovery.active_offsets[CHANGELOG] == 5
    assert [message.offset for message in consumer.delivered] == [3, 5]


async def test_a_recovery_waits_for_room_on_the_disk() -> None:
    consumer = FakeConsumer()
    store = recovering(consumer)
    store.faults = [OutageError("state", "no space is left"), OutageError("state", "no space is left")]
    await consumer.fetches(0, 1, tp=CHANGELOG)

    assert len(consumer.slept) == 2
    assert store.applied == [0, 1]


async def test_a_changelog_of_an_older_generation_is_not_applied() -> None:
    consumer = FakeConsumer()
    store = recovering(consumer)
    await consumer._deliver(CHANGELOG, [record(0)], generation=0)

    assert store.applied == []
    assert consumer.delivered == []


async def test_a_rebalance_that_meets_a_stop_leaves_closing_the_client_to_the_stop() -> None:
    """Faust would close the client on the wrong loop, mark it closed, and wait for its thread for ever."""
    thread: Any = object.__new__(ConsumerThread)
    thread._consumer = SimpleNamespace(_closed=False)
    thread.close()
    assert not thread._consumer._closed


async def test_a_fetch_ends_when_a_rebalance_begins_and_what_it_has_not_handed_out_stays(thread: FetchingThread) -> None:
    """It would wait in aiokafka for the rebalance's end, and the rebalance for it: five seconds, and no last commit."""
    fetching = asyncio.create_task(thread._fetch_records(thread._consumer, {SOURCE}, timeout=3600))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    thread.subscriptions.reassignment_in_progress = True
    await thread.on_partitions_revoked({SOURCE})
    thread.records = {SOURCE: [record(0)]}
    assert await fetching == {}
    assert await thread._fetch_records(thread._consumer, {SOURCE}, timeout=3600) == {}
    assert thread.revoked == [{SOURCE}]

    thread.subscriptions.reassignment_in_progress = False
    assert await thread._fetch_records(thread._consumer, {SOURCE}, timeout=3600) == {SOURCE: [record(0)]}


class FetchingThread(ConsumerThread):
    """The consumer's thread on a fetcher in memory that waits until there are records."""

    def __init__(self) -> None:
        self.records: dict[TP, list[ConsumerRecord]] = {}
        self.revoked: list[set[TP]] = []
        self.subscriptions = SimpleNamespace(reassignment_in_progress=False, fetch_context=nullcontext)
        fetcher = SimpleNamespace(_subscriptions=self.subscriptions, _closed=False, fetched_records=self._fetched)
        self._consumer: Any = SimpleNamespace(_fetcher=fetcher, _closed=False)
        self.app = SimpleNamespace(on_rebalance_start=lambda: None)
        self.consumer: Any = SimpleNamespace(flow_active=True, threadsafe_partitions_revoked=self._revoke)
        self.thread_loop = asyncio.get_running_loop()

    async def _fetched(self, _partitions: object, *, timeout: float, **_: object) -> dict[TP, list[ConsumerRecord]]:  # noqa: ASYNC109 - aiokafka's
        if not self.records:
            await asyncio.sleep(timeout)
        return self.records

    async def _revoke(self, _loop: object, revoked: set[TP]) -> None:
        self.revoked.append(revoked)


@pytest.fixture
async def thread() -> FetchingThread:
    return FetchingThread()


async def test_the_group_s_offsets_are_asked_for_at_once(thread: FetchingThread) -> None:
    asked: list[object] = []

    async def fetch(partitions: object) -> dict[TP, Any]:
        asked.append(partitions)
        return {SOURCE: SimpleNamespace(offset=7), OTHER: SimpleNamespace(offset=-1)}

    thread._consumer._coordinator = SimpleNamespace(fetch_committed_offsets=fetch)
    thread._consumer.assignment = lambda: frozenset({SOURCE, OTHER})
    assert await thread._committed_offsets() == {SOURCE: 7, OTHER: None}
    assert asked == [frozenset({SOURCE, OTHER})]
