"""Faust's Kafka transport with two changes: one event per fetched record batch, and offsets that the ledger owns (ADR 0002).

Stock Faust spends about 115 µs on every message and commits past records that are not resolved. Here an agent gets one event per
fetched batch of one partition, and the commit position is the ledger's. Changelogs are applied by the batch, too; Faust's internal topics keep
the stock path.
While Kafka is down both clients wait between their tries, and their start waits for a broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from voc_stream.errors import OutageError
from voc_stream.logs import get_logger
from voc_stream.runtime.broker_start import wait_for_broker
from voc_stream.runtime.intake import Intake
from voc_stream.runtime.metadata_pace import pace_metadata
from voc_stream.runtime.parsed_records import completed, keep_as_parsed
from voc_stream.runtime.state import ROOM_SECONDS

logger = get_logger(__name__)

COMMIT_TIMEOUT = 5.0
# Between two looks whether a rebalance is over, by a fetch that began in one.
REBALANCING_SECONDS = 0.05


class DataLossError(Exception):
    """Kafka no longer has records that were not read yet; the message says which."""


class Consumer(driver.Consumer):
    """Hands agents record batches and commits what the intake's ledgers say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.intake: Intake = self.app.intake
        # Where to go on reading each source partition; unknown until the group's offsets were asked for.
        self._next_offset: dict[TP, int] = {}
        # The group's offsets, until the agents' queues take what is read from there.
        self._sought: dict[TP, int] = {}
        # Partitions of which fetched records were put aside; the fetcher's own position has passed these.
        self._behind: set[TP] = set()
        # Where a partition was gone back to because records seemed to be missing; still missing then, they are not there.
        self._gone_back: dict[TP, int] = {}
        self._full: set[TP] = set()

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # fetching

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - as the base class does
                await self._fetch_and_deliver()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _fetch_and_deliver(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        self._resume_roomy()
        await self._go_back()
        generation = self.app.consumer_generation_id
        # A full partition may get room at any moment; with none full, new data ends the wait by itself.
        records = await self._fetch(0.05 if self._full else 1.0)
        await asyncio.sleep(0)
        if self.should_stop:
            return
        for tp, fetched in records.items():
            await self._deliver(TP(tp.topic, tp.partition), fetched, generation)

    async def _fetch(self, seconds: float) -> Mapping[Any, Sequence[Any]]:
        active = self._get_active_partitions()
        # Faust offers this event, to wait for the end of a fetch, but never clears it.
        self.not_waiting_next_records.clear()
        try:
            if active:
                records: Mapping[Any, Sequence[Any]] = await self._getmany(active_partitions=active, timeout=seconds)
                return records
            await self._thread.call_thread(self._stay_in_group, seconds)
        finally:
            self.not_waiting_next_records.set()
        return {}

    async def _stay_in_group(self, seconds: float) -> None:
        # The coordinator leaves the group when nothing is fetched for max_poll_interval; paused partitions must not look like that.
        with self._thread._consumer._fetcher._subscriptions.fetch_context():  # noqa: SLF001 - no public way
            await asyncio.sleep(seconds)

    async def _deliver(self, tp: TP, fetched: Sequence[Any], generation: int) -> None:
        if self._is_current(generation):
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        if not self._is_source(tp):
            await self._deliver_one_by_one(tp, await self._restored(tp, fetched, generation), generation)
        elif await self._may_deliver(tp, fetched, generation):
            await self._deliver_batch(tp, fetched, generation)

    async def _restored(self, tp: TP, fetched: Sequence[Any], generation: int) -> Sequence[Any]:
        """Apply what was fetched of a table's changelog at once, and return what Faust must see of it: the last, which it finds applied.

        Record by record it would take Faust 100 µs each, two minutes for a million. While the disk has no room it is waited.
        """
        recovery = self.app.tables.recovery
        if tp not in recovery.active_tps or not self._is_current(generation):
            return fetched
        known = recovery.active_offsets[tp]
        fresh = fetched if known is None else [record for record in fetched if record.offset > known]
        while fresh and self._is_current(generation):
            try:
                recovery.tp_to_table[tp].data.restore(tp, fresh)
            except OutageError as error:
                logger.warning("a table cannot be recovered yet", topic=tp.topic, partition=tp.partition, reason=error.reason)
                await self.sleep(ROOM_SECONDS)
            else:
                recovery.active_offsets[tp] = fresh[-1].offset
                break
        return fetched[-1:]

    async def _deliver_one_by_one(self, tp: TP, fetched: Sequence[Any], generation: int) -> None:
        for message in self._messages_one_by_one(tp, fetched):
            if not self._is_current(generation):
                return
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
            self._read_offset[tp] = message.offset

    async def _may_deliver(self, tp: TP, fetched: Sequence[Any], generation: int) -> bool:
        """Whether the records are the next ones of their partition, and it is still ours; if not, it is gone back to where it was read up to."""
        position = self._next_offset.get(tp)
        if position is not None and fetched[0].offset != position:
            await self._refuse_lost_records({tp: position})
        if position is None or not self._is_current(generation) or (fetched[0].offset > position and self._gone_back.get(tp) != position):
            self._behind.add(tp)
            return False
        return True

    async def _deliver_batch(self, tp: TP, fetched: Sequence[Any], generation: int) -> None:
        position = self._next_offset[tp]
        fresh = fetched if fetched[0].offset >= position else [record for record in fetched if record.offset >= position]
        if not fresh:
            return
        self._next_offset[tp] = self._read_offset[tp] = fresh[-1].offset + 1
        message = self._batch_message(tp, fresh, position, generation)
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        ledger = self.intake.ledger(tp)
        if ledger is not None and ledger.full:
            self._full.add(tp)
            self.pause_partitions([tp])

    def _is_source(self, tp: TP) -> bool:
        return not self._is_changelog_tp(tp) and bool(self.app.topics.acks_enabled_for(tp.topic))

    def _is_current(self, generation: int) -> bool:
        return bool(self.flow_active) and self.app.consumer_generation_id == generation

    async def _go_back(self) -> None:
        """Fetch again what was put aside: at a rebalance, or while the group's offsets were being asked for."""
        positions = {tp: self._next_offset[tp] for tp in self._behind if tp in self._next_offset}
        if not positions:
            return
        self._behind.difference_update(positions)
        try:
            await self.seek_wait(positions)
        except IllegalStateError:
            # Revoked at this moment; whoever has them now begins at the committed offset.
            return
        self._gone_back.update(positions)

    def rewind(self, tp: TP, offset: int) -> None:
        """Read a partition from an earlier offset on; what was fetched of it and is not resolved will be delivered again."""
        self.intake.close([tp])
        self._next_offset[tp] = offset
        self._gone_back.pop(tp, None)
        self._behind.add(tp)
        if tp in self._full:
            self._full.discard(tp)
            self.resume_partitions([tp])

    def committed(self, tp: TP) -> int:
        """Return the group's offset of a partition as far as this worker committed or read it, 0 where it has none."""
        return self._committed_offset[tp] or 0

    def _messages_one_by_one(self, tp: TP, fetched: Sequence[Any]) -> Iterator[ConsumerMessage]:
        read = self._read_offset[tp]
        return (self._to_message(tp, completed(tp, record)) for record in fetched if read is None or record.offset >= read)

    def _batch_message(self, tp: TP, records: Sequence[Any], position: int, generation: int) -> ConsumerMessage:
        first = records[0]
        message: ConsumerMessage

        def done() -> None:
            self.ack(message)

        behind = (self.highwater(tp) or 0) - records[-1].offset - 1
        batch = self.intake.take(tp, records, position, done, generation=generation, behind=behind)
        message = ConsumerMessage(
            tp.topic, tp.partition, first.offset, first.timestamp / 1000, first.timestamp_type, (), None, batch, None, None, batch.bytes, tp,
            generation_id=generation,
        )  # fmt: skip
        return message

    def _resume_roomy(self) -> None:
        for tp in tuple(self._full):
            ledger = self.intake.ledger(tp)
            if ledger is None or ledger.roomy:
                self._full.discard(tp)
                if ledger is not None:
                    self.resume_partitions([tp])

    # offsets

    def ack(self, message: Any) -> bool:
        """Forget a batch whose records are all resolved; offsets are the ledger's matter."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self.intake.partitions() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        ledger = self.intake.ledger(tp)
        return None if ledger is None else ledger.position()

    def _should_commit(self, tp: TP, offset: int) -> bool:
        committed = self._committed_offset[tp]
        return offset > (committed or 0)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave liveness to the health checks: Faust's own detector counts events, of which a batch is one."""

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; what is in flight will be delivered again.

        Raises:
            DataLossError: the broker no longer has records that were not read yet.
        """
        self._forget()
        await super().perform_seek()
        sources = {tp for tp in self.assignment() if self._is_source(tp)}
        earliest = await self.earliest_offsets(*sources) if sources else {}
        positions = {tp: self._committed_offset[tp] or earliest.get(tp) or 0 for tp in sources}
        if positions:
            # Faust leaves a partition without a committed offset where the fetcher is.
            await self.seek_wait(positions)
        await self._refuse_lost_records({tp: offset for tp, offset in positions.items() if offset})
        self._sought = positions

    def resume_flow(self) -> None:
        """Go on fetching and, after a seek, handing on.

        Faust fetches all the while, empties the agents' queues a moment after the seek, and then calls this: what was handed on in that moment would
        be in no queue and in our ledger for ever.
        """
        super().resume_flow()
        self._next_offset.update(self._sought)
        self._sought = {}

    async def _refuse_lost_records(self, committed: Mapping[TP, int]) -> None:
        if not committed:
            return
        earliest = await self.earliest_offsets(*committed)
        ends = await self.highwaters(*committed)
        for tp, offset in committed.items():
            first, end = earliest.get(tp), ends.get(tp)
            if first is not None and first > offset:
                msg = f"{tp.topic}[{tp.partition}]: records {offset} to {first - 1} are gone from Kafka before they were read (retention too short?)"
                raise DataLossError(msg)
            if end is not None and end < offset:
                msg = f"{tp.topic}[{tp.partition}]: the group read up to {offset} but the topic ends at {end} (made anew, or lost its tail)"
                raise DataLossError(msg)

    # stop and rebalance

    async def wait_empty(self) -> None:
        """Finish or abandon what is running, commit what is resolved, forget the rest: it will be delivered again."""
        await self.intake.quiesce()
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                # A fetch that began before would bring records of the next generation and pass for one of this.
                await self.wait_for_stopped_flow()
                # One that is under way knows nothing of what was resolved since it began.
                await self.maybe_wait_for_commit_to_finish()
            # Faust's wait for a commit takes a time-out's cancellation for its own: what follows needs another one.
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self.commit()
        except TimeoutError:
            logger.warning("the last commit timed out; records will be delivered again", seconds=COMMIT_TIMEOUT)
        self._forget()
        self._unacked_messages.clear()

    def _forget(self) -> None:
        """Begin anew: whatever is fetched and not committed will be delivered again."""
        self.intake.close()
        self._next_offset.clear()
        self._sought = {}
        self._gone_back.clear()
        if self._full:
            self.resume_partitions(self._full & self.assignment())
        self._full.clear()


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, calm while Kafka is down; the intake's lease hears of every sign of life."""

    _fetching: asyncio.Future[Any] | None = None

    async def on_start(self) -> None:
        """Start the client; it joins the group once it has a subscription."""
        await super().on_start()
        keep_as_parsed(self._consumer)
        if not self.app.client_only:
            self.app.intake.lease.watch(self._consumer._coordinator)  # noqa: SLF001 - it has no public name

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        """Return the group's offsets; asked for one by one, as aiokafka would, 180 partitions took seconds. The consumer seeks them itself."""
        offsets: Mapping[TP, int | None] = await self.call_thread(self._committed_offsets)
        return offsets

    async def _committed_offsets(self) -> Mapping[TP, int | None]:
        consumer = self._ensure_consumer()
        found = await consumer._coordinator.fetch_committed_offsets(consumer.assignment())  # noqa: SLF001 - no public way
        return {TP(*tp): known.offset if known.offset >= 0 else None for tp, known in found.items()}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """End the fetch that is under way, which would wait for the rebalance's end, and the rebalance for it; what it has not handed out stays."""
        if self._fetching is not None:
            self._fetching.cancel()
        await super().on_partitions_revoked(revoked)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
        max_records: int | None = None,
    ) -> Any:
        if consumer._fetcher._subscriptions.reassignment_in_progress:  # noqa: SLF001 - no public way
            await asyncio.sleep(REBALANCING_SECONDS)
            return {}
        self._fetching = asyncio.ensure_future(super()._fetch_records(consumer, active_partitions, timeout, max_records))
        await asyncio.wait({self._fetching})
        return {} if self._fetching.cancelled() else self._fetching.result()

    def close(self) -> None:
        """Do nothing: the stop that is under way closes the client in order.

        Faust calls this when a rebalance meets a stop, and would close the client at once, on the wrong loop, and mark it closed. Then nobody
        leaves the group, its routine goes on without connections, and the process waits for this thread for ever.
        """

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> Any:
        consumer = super()._create_consumer(loop=loop)
        pace_metadata(consumer._client)  # noqa: SLF001 - it has no public name
        wait_for_broker(consumer._client, lambda: self.should_stop or self.app.should_stop)  # noqa: SLF001
        return consumer


class Producer(driver.Producer):
    """Faust's producer, calm while Kafka is down."""

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        pace_metadata(producer.client)
        wait_for_broker(producer.client, lambda: self.should_stop or self.app.should_stop)
        return producer


class Transport(driver.Transport):
    """The transport that `create_app` registers under `kafka`."""

    Consumer = Consumer
    Producer = Producer
