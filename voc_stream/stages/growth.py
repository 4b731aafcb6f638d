"""How the partitions of a family of topics grow (docs/partitions.md): what is to be done, what forbids it, and which rows of the tables go along.

To a multiple only. Whatever function of a key a producer takes modulo the number of partitions, the keys of partition q then go to q, q + before,
q + 2 before, ..., and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from voc_stream.stages.history import read_rows
from voc_stream.stages.ranges import Place, Row, Seen, encode_row

# In the place of the offset that brought a call: in another partition it means nothing, and must not be taken for that of a redelivery.
ELSEWHERE = -1


class GrowthRefusedError(Exception):
    """The partitions cannot grow so, or not now; the message is one line that says why."""


class Growth(NamedTuple):
    """A family of topics gets more partitions.

    Attributes:
        family: its name.
        before: how many partitions the sources and the changelog have.
        after: how many they will have.
        smaller: each topic that has fewer than that.
    """

    family: str
    before: int
    after: int
    smaller: tuple[str, ...]


def plan(name: str, setting: str, wanted: int, found: Mapping[str, int], *, sources: Sequence[str], changelog: str | None) -> Growth | None:
    """Say what is to be done so that every topic has the wanted number of partitions; None where all have.

    Args:
        name: of the family.
        setting: which says how many are wanted.
        wanted: so many.
        found: how many each topic of the family has; 0 where there is no such topic.
        sources: the topics that are not dead letters.
        changelog: of the family's table.

    Raises:
        GrowthRefusedError: topics are missing, or have more, or the keys would not go where the table's rows can follow.
    """
    if missing := sorted(topic for topic, count in found.items() if not count):
        raise GrowthRefusedError(f"{name}: there is no topic {', '.join(missing)}; run: faust -A voc_stream topics")
    if larger := {topic: count for topic, count in found.items() if count > wanted}:
        topic, count = max(larger.items(), key=lambda each: each[1])
        raise GrowthRefusedError(f"{name}: {topic} has {count} partitions and {setting} is {wanted}: they are never taken away; set it to {count}")
    smaller = tuple(topic for topic, count in found.items() if count < wanted)
    if not smaller:
        return None
    before = min(found[topic] for topic in (*sources, *([changelog] if changelog else ())))
    if changelog and wanted % before:
        possible = ", ".join(str(before * times) for times in (2, 3, 4))
        raise GrowthRefusedError(f"{name}: {before} partitions cannot become {wanted}, only a multiple: {possible} ... ({setting})")
    return Growth(name, before, wanted, smaller)


def refuse_open_windows(place: Place, rows: Iterable[Row], end: int) -> None:
    """Check that every window of a partition is stored and committed.

    Args:
        place: the partition.
        rows: of its ledger.
        end: the offset after the partition's last record, which is the group's.

    Raises:
        GrowthRefusedError: one is not.
    """
    for row in read_rows(rows).current:
        if row.last >= end:
            raise GrowthRefusedError(f"{place}: the window {row.first}-{row.last} is written down, but the group stands at {end}: start a worker")


def ids_carried(place: Place, rows: Iterable[Row], partitions: tuple[int, int], end: int, oldest_ms: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Return the rows by which new partitions know the event ids of an old one, from which their keys come.

    There the ids lie before the first offset, in the order in which they came: at offsets below 0. The rows of the old partition stay as they are.

    Args:
        place: the old partition.
        rows: of its ledger.
        partitions: how many there are, and how many there will be.
        end: the offset after its last record.
        oldest_ms: ids of windows that were formed before this time are forgotten.

    Returns:
        Partition, key and value of each; the same for the same rows.
    """
    before, after = partitions
    history = read_rows(rows)
    # Where one row is part of another the larger one comes last, and counts.
    for row in (*history.current, *history.older, *history.seen):
        if row.processed_ms < oldest_ms or not row.digests:
            continue
        moved = Seen(row.claim, row.first - end, row.last - end, row.processed_ms, row.deltas, row.digests)
        for partition in range(place.partition + before, after, before):
            yield partition, moved.key(place._replace(partition=partition)), encode_row(moved)


def call_carried(key: bytes, value: bytes, partition: int, goes_to: Callable[[bytes], int], oldest: float) -> tuple[int, bytes, bytes] | None:
    """Return a row of the calls that were seen as it is in the partition where the call's key goes now; None where it need not go anywhere.

    Args:
        key: the call_id.
        value: offset and seconds of the epoch, see `tables/calls_seen.py`.
        partition: where the row is.
        goes_to: the partition of a key.
        oldest: calls that were seen before this time are forgotten, in seconds of the epoch.
    """
    seconds = value.partition(b" ")[2] or b"0"
    if int(seconds) < oldest or (target := goes_to(key)) == partition:
        return None
    return target, key, b"%d %s" % (ELSEWHERE, seconds)
