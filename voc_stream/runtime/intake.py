"""What a worker has taken in and not yet resolved, over all partitions; the consumer fills it, the stages empty it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from faust.types import TP

from voc_stream.runtime.lease import Lease
from voc_stream.runtime.ledger import Load, PartitionLedger, RecordBatch

Quiesce = Callable[[float], Awaitable[None]]


class Intake:
    """The ledgers of the assigned partitions, and the stages that must let go of them at a stop or a rebalance.

    Args:
        max_records: unresolved records a partition may have before fetching from it pauses.
        max_bytes: the same in bytes.
        max_all_records: unresolved records of all partitions together, with those fetched ahead, above which each gets a small share only.
        max_all_bytes: the same in bytes.
        ahead_records: what each partition takes besides, in records: those that the client has fetched and not handed out yet, and its buffers.
            So a worker of few partitions holds more of each, which keeps it busy, and one of many does not hold more altogether.
        grace: seconds that running work gets to finish at a stop or a rebalance before it is abandoned, un-acked.
        lease: tells whether the assignment still is ours.
    """

    def __init__(
        self,
        *,
        max_records: int = 8000,
        max_bytes: int = 8 << 20,
        max_all_records: int = 80_000,
        max_all_bytes: int = 32 << 20,
        ahead_records: int = 1750,
        grace: float = 10.0,
        lease: Lease | None = None,
    ) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._load = Load(max_records=max_all_records, max_bytes=max_all_bytes, ahead=ahead_records)
        self._grace = grace
        self.lease = lease or Lease()
        self._ledgers: dict[TP, PartitionLedger] = {}
        self._stages: list[Quiesce] = []

    def register(self, quiesce: Quiesce) -> None:
        """Add a stage: a coroutine function that finishes or abandons its running work within the seconds it is given."""
        self._stages.append(quiesce)

    def take(
        self, tp: TP, records: Sequence[Any], position: int, on_done: Callable[[], None], *, generation: int = 0, behind: int = 0
    ) -> RecordBatch:
        """Account for freshly fetched records of a partition; `position` is where its reading stood before them, `behind` what lies beyond them."""
        ledger = self._ledgers.get(tp)
        if ledger is None:
            ledger = self._ledgers[tp] = PartitionLedger(position, max_records=self._max_records, max_bytes=self._max_bytes, load=self._load)
        batch = RecordBatch(tp.topic, tp.partition, records, ledger=ledger, position=position, generation=generation, behind=behind, on_done=on_done)
        ledger.add(batch)
        return batch

    def ledger(self, tp: TP) -> PartitionLedger | None:
        """Return the partition's ledger, if anything was fetched from it in this generation."""
        return self._ledgers.get(tp)

    def partitions(self) -> Iterable[TP]:
        """Return the partitions that anything was fetched from."""
        return tuple(self._ledgers)

    def unresolved(self) -> int:
        """Return how many records are fetched and not resolved."""
        return sum(ledger.unresolved_records for ledger in self._ledgers.values())

    async def quiesce(self) -> None:
        """Begin no further work; let what runs finish within the grace time, which all stages share; the rest is abandoned."""
        for ledger in self._ledgers.values():
            ledger.let_go()
        await asyncio.gather(*(quiesce(self._grace) for quiesce in self._stages))

    def close(self, tps: Iterable[TP] | None = None) -> None:
        """Forget partitions (all by default): what is unresolved will be delivered again, perhaps elsewhere."""
        for tp in tuple(self._ledgers) if tps is None else tps:
            ledger = self._ledgers.pop(tp, None)
            if ledger is not None:
                ledger.close()
