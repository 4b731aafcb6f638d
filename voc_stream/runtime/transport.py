"""Faust's Kafka transport with two changes: one event per fetched record batch, and offsets that the ledger owns (ADR 0002).

Stock Faust spends about 115 µs on every message and commits past records that are not resolved. Here an agent gets one event per
fetched batch of one partition, and the commit position is the ledger's. Changelogs and Faust's internal topics keep the stock path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from voc_stream.logs import get_logger
from voc_stream.runtime.intake import Intake

logger = get_logger(__name__)

COMMIT_TIMEOUT = 5.0


class DataLossError(Exception):
    """Kafka no longer has records that were not read yet; the message says which."""


class Consumer(driver.Consumer):
    """Hands agents record batches and commits what the intake's ledgers say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.intake: Intake = self.app.intake
        self._next_offset: dict[TP, int] = {}
        self._full: set[TP] = set()

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
        self._resume_roomy()
        generation = self.app.consumer_generation_id
        # A full partition may get room at any moment; with none full, new data ends the wait by itself.
        records, _active = await self._wait_next_records(0.05 if self._full else 1.0)
        await asyncio.sleep(0)
        if not records or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        if self.app.consumer_generation_id != generation:
            return
        for tp, fetched in records.items():
            await self._deliver(TP(tp.topic, tp.partition), fetched, generation)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP]]:  # noqa: ASYNC109 - the base class's signature
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        if active:
            return await self._getmany(active_partitions=active, timeout=timeout), active
        await self._thread.call_thread(self._stay_in_group, timeout)
        return {}, active

    async def _stay_in_group(self, seconds: float) -> None:
        # The coordinator leaves the group when nothing is fetched for max_poll_interval; paused partitions must not look like that.
        with self._thread._consumer._fetcher._subscriptions.fetch_context():  # noqa: SLF001 - no public way
            await asyncio.sleep(seconds)

    async def _deliver(self, tp: TP, fetched: Sequence[Any], generation: int) -> None:
        if not self.flow_active or self.app.consumer_generation_id != generation:
            return
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        if self._is_changelog_tp(tp) or not self.app.topics.acks_enabled_for(tp.topic):
            for message in self._messages_one_by_one(tp, fetched):
                await self.wait_first(self.callback(message), self.suspend_flow.wait())
                self._read_offset[tp] = message.offset
            return
        position = self._next_offset.get(tp)
        fresh = fetched if position is None or fetched[0].offset >= position else [record for record in fetched if record.offset >= position]
        if fresh:
            if position is not None and fresh[0].offset > position:
                await self._refuse_lost_records({tp: position})
            self._next_offset[tp] = self._read_offset[tp] = fresh[-1].offset + 1
            message = self._batch_message(tp, fresh, fresh[0].offset if position is None else position, generation)
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
            ledger = self.intake.ledger(tp)
            if ledger is not None and ledger.full:
                self._full.add(tp)
                self.pause_partitions([tp])

    def _messages_one_by_one(self, tp: TP, fetched: Sequence[Any]) -> Iterator[ConsumerMessage]:
        read = self._read_offset[tp]
        return (self._to_message(tp, record) for record in fetched if read is None or record.offset >= read)

    def _batch_message(self, tp: TP, records: Sequence[Any], position: int, generation: int) -> ConsumerMessage:
        first = records[0]
        message: ConsumerMessage

        def done() -> None:
            self.ack(message)

        batch = self.intake.take(tp, records, position, done)
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
        self.intake.close()
        self._full.clear()
        self._next_offset.clear()
        await super().perform_seek()
        committed = {tp: offset for tp, offset in self._committed_offset.items() if offset and not self._is_changelog_tp(tp)}
        await self._refuse_lost_records(committed)
        self._next_offset.update({TP(tp.topic, tp.partition): offset for tp, offset in committed.items()})

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
            await asyncio.wait_for(self.commit(), COMMIT_TIMEOUT)
        except TimeoutError:
            logger.warning("the last commit timed out; records will be delivered again", seconds=COMMIT_TIMEOUT)
        self.intake.close()
        self._full.clear()
        self._next_offset.clear()
        self._unacked_messages.clear()


class Transport(driver.Transport):
    """The transport that `create_app` registers under `kafka`."""

    Consumer = Consumer
