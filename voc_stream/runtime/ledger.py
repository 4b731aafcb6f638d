"""Which records of a partition are resolved, and how far the offset may be committed (ADR 0002).

A record is resolved once everything that it causes is acknowledged. The commit position is the end of the contiguous
resolved prefix and nothing else, so records may finish in any order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

_key, _value = attrgetter("key"), attrgetter("value")

# In a crowd a partition holds this part of what it may hold alone.
_CROWD = 8


class RecordBatch:
    """The records of one fetch of one partition: the value of one Faust event.

    Args:
        topic: name of the topic.
        partition: number of the partition.
        records: consumer records in offset order, never empty; offsets may have holes (transaction markers, compaction).
        ledger: where the batch is accounted for.
        position: where reading stood before it: no record lies between there and the first; by default the first record's offset.
        generation: of the consumer group that fetched it.
        behind: how many offsets of the partition lay beyond it when it was fetched.
        on_done: called once, when the last record is resolved.
    """

    __slots__ = ("_behind", "_flags", "_ledger", "_on_done", "bytes", "generation", "partition", "pending", "position", "records", "topic")

    def __init__(
        self,
        topic: str,
        partition: int,
        records: Sequence[Any],
        *,
        ledger: PartitionLedger,
        position: int | None = None,
        generation: int = 0,
        behind: int = 0,
        on_done: Callable[[], None] | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records
        self.position = int(records[0].offset) if position is None else position
        self.generation = generation
        self.pending = len(records)
        self.bytes = sum(sum(map(len, filter(None, map(part, records)))) for part in (_key, _value))
        self._behind = behind
        self._ledger = ledger
        self._on_done = on_done
        self._flags: bytearray | None = None

    def __len__(self) -> int:
        return len(self.records)

    @property
    def live(self) -> bool:
        """Whether work on it may begin: the partition is still ours in the generation that fetched it, and nobody waits for us to let go."""
        return not (self._ledger.closed or self._ledger.letting_go)

    @property
    def followed(self) -> bool:
        """Whether more of its partition waits in Kafka, and may be fetched at once."""
        return self._behind > 0 and not self._ledger.full

    @property
    def end(self) -> int:
        """The offset after the last record."""
        return int(self.records[-1].offset) + 1

    def resolve(self, index: int) -> None:
        """Mark one record as done with; a second time, or after revocation, it changes nothing."""
        if self._ledger.closed or not self.pending:
            return
        if self._flags is None:
            self._flags = bytearray(len(self.records))
        if self._flags[index]:
            return
        self._flags[index] = 1
        self._settle(1)

    def resolve_between(self, start: int, stop: int) -> None:
        """Mark the records of these indexes, the last exclusive, as done with."""
        if self._ledger.closed or not self.pending:
            return
        if self._flags is None:
            self._flags = bytearray(len(self.records))
        fresh = self._flags.count(0, start, stop)
        self._flags[start:stop] = b"\1" * (stop - start)
        if fresh:
            self._settle(fresh)

    def want_until(self, offset: int) -> None:
        """Let its partition be fetched from up to this offset, however much that is: the stage can only go on with all of it."""
        self._ledger.wanted = offset

    def resolve_all(self) -> None:
        """Mark every record as done with."""
        if self._ledger.closed or not self.pending:
            return
        self._settle(self.pending)

    def first_unresolved(self) -> int:
        """Return the offset of the first record that is not done with, or the end."""
        if not self.pending:
            return self.end
        index = 0 if self._flags is None else self._flags.find(0)
        return int(self.records[index].offset)

    def tell_nobody(self) -> None:
        """Let go of who waits for the batch's end, which will not come."""
        self._on_done = None

    def _settle(self, count: int) -> None:
        self.pending -= count
        self._ledger.settled(self, count)
        if not self.pending and self._on_done is not None:
            # What it refers to refers to this batch: let go of, both are freed at once and not when the collector comes by.
            on_done, self._on_done = self._on_done, None
            on_done()


class Load:
    """What all partitions of a worker hold unresolved, together: their number must not decide how much memory a backlog takes.

    Args:
        max_records: above this many records, those fetched ahead included, there is a crowd: partitions with more than a small share fetch no more.
        max_bytes: the same in bytes.
        ahead: records of each partition that the client has fetched and not handed out yet: they take memory, too.
    """

    def __init__(self, *, max_records: int, max_bytes: int, ahead: int = 0) -> None:
        self._max_records = max_records
        self._ahead = ahead
        self._max_bytes = max_bytes
        self._records = 0
        self._bytes = 0

    def join(self) -> None:
        """Count what the client fetches ahead of one more partition."""
        self._records += self._ahead

    def leave(self) -> None:
        """Count it no longer."""
        self._records -= self._ahead

    def change(self, records: int, octets: int) -> None:
        """Count what came, or went."""
        self._records += records
        self._bytes += octets

    @property
    def crowded(self) -> bool:
        """Whether the partitions hold too much together."""
        return self._records >= self._max_records or self._bytes >= self._max_bytes


class PartitionLedger:
    """The fetched, not yet committed batches of one partition in one generation.

    Args:
        position: the offset that is committed, or where reading began.
        max_records: above this many unresolved records the partition is full; in a crowd, above an eighth of them.
        max_bytes: the same in bytes.
        load: shared by all partitions of the worker.
    """

    def __init__(self, position: int, *, max_records: int, max_bytes: int, load: Load | None = None) -> None:
        self._base = position
        self._batches: deque[RecordBatch] = deque()
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._load = load or Load(max_records=max_records, max_bytes=max_bytes)
        self._load.join()
        self.closed = False
        self.letting_go = False
        self.unresolved_records = 0
        self.unresolved_bytes = 0
        self.wanted = -1
        self._end = position

    def add(self, batch: RecordBatch) -> None:
        """Account for a batch that was just fetched; batches come in offset order."""
        self._batches.append(batch)
        self._end = batch.end
        self._change(len(batch), batch.bytes)

    def settled(self, batch: RecordBatch, count: int) -> None:
        """Count records of a batch as resolved (called by the batch)."""
        self._change(-count, 0 if batch.pending else -batch.bytes)
        if not batch.pending:
            self._let_go_of_resolved()

    @property
    def full(self) -> bool:
        """Whether nothing more may be fetched for now."""
        return self._end > self.wanted and (self._fills(1) or (self._load.crowded and self._fills(_CROWD)))

    @property
    def roomy(self) -> bool:
        """Whether fetching may begin again: half of the bound is free, so that it does not flutter."""
        parts = 2 * (_CROWD if self._load.crowded else 1)
        return self._end <= self.wanted or (self.unresolved_records * parts <= self._max_records and self.unresolved_bytes * parts <= self._max_bytes)

    def position(self) -> int:
        """Return the offset that may be committed: everything below it is resolved."""
        return self._batches[0].first_unresolved() if self._batches and self._has_progress() else self._base

    def let_go(self) -> None:
        """Begin no further work: the partition is about to be revoked. What runs may still be resolved."""
        self.letting_go = True

    def close(self) -> None:
        """Forget everything: the partition was revoked or sought; what is unresolved will be delivered again."""
        if not self.closed:
            self._load.leave()
        self.closed = True
        for batch in self._batches:
            batch.tell_nobody()
        self._batches.clear()
        self._change(-self.unresolved_records, -self.unresolved_bytes)

    def _let_go_of_resolved(self) -> None:
        while self._batches and not self._batches[0].pending:
            self._base = self._batches.popleft().end

    def _fills(self, parts: int) -> bool:
        return self.unresolved_records * parts >= self._max_records or self.unresolved_bytes * parts >= self._max_bytes

    def _change(self, records: int, octets: int) -> None:
        self.unresolved_records += records
        self.unresolved_bytes += octets
        self._load.change(records, octets)

    def _has_progress(self) -> bool:
        head = self._batches[0]
        return head.first_unresolved() > int(head.records[0].offset)
