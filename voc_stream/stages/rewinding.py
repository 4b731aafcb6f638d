"""Where a group must stand after a database was restored that is older than its offsets, and what Kafka no longer has (docs/adr/0033)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from voc_stream.stages.history import History
from voc_stream.stages.ranges import Claim, ClaimId, Row, Seen


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """A partition as Kafka, the group and a database see it.

    Attributes:
        topic: its name.
        partition: its number.
        committed: the group's offset; None where it has none.
        stored: the offset after the last record whose effect the database surely holds; 0 where it holds none.
        begins: the first offset that Kafka still has.
        end: the offset after the last record.
    """

    topic: str
    partition: int
    committed: int | None
    stored: int
    begins: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """The group is set back.

    Attributes:
        topic: its name.
        partition: its number.
        committed: where it stood; None where it had no offset.
        to: where it shall stand.
        again: how many offsets are read again, at most.
        lost_from: with `lost_to`, which is exclusive: offsets that are in no database and no longer in Kafka; equal where there are none.
        lost_to: see `lost_from`.
    """

    topic: str
    partition: int
    committed: int | None
    to: int
    again: int
    lost_from: int
    lost_to: int

    @property
    def lost(self) -> int:
        """Return how many offsets are lost, at most: those that held no record, or a duplicate, are among them."""
        return self.lost_to - self.lost_from


def moves(standings: Iterable[Standing]) -> list[Move]:
    """Return what is to be done, by topic and partition; a group is never set forward but over what Kafka does not have."""
    return sorted(move for standing in standings if (move := _move(standing)) is not None)


def _move(at: Standing) -> Move | None:
    reached = at.end if at.committed is None else at.committed
    if at.stored >= reached:
        return None
    to = min(max(at.stored, at.begins), at.end)
    return Move(at.topic, at.partition, at.committed, to, max(0, reached - to), at.stored, max(at.stored, to))


def first_hole(offsets: Collection[int], first: int) -> int:
    """Return the first offset from `first` on that is not among these: records are done with out of order, and everything before it is.

    Args:
        offsets: whose effects a database holds.
        first: where no record is under way any more.
    """
    known, at = set(offsets), first
    while at in known:
        at += 1
    return at


def ledger_rows(history: History, position: int) -> list[Row]:
    """Return what the ledger of windows must hold before a partition is read again from a position on (docs/adr/0012).

    A claim there that adopts nothing makes every known range behind it void: nothing of them is stored, and windows are formed anew. Of a range that
    the position cuts, the ids stay known.
    """
    epoch = 1 if history.newest is None else history.newest.id.epoch + 1
    claim = Claim(ClaimId(epoch, 0), position, ())
    cut = [row for row in (*history.older, *history.current) if row.first < position <= row.last]
    return [*(Seen(claim.id, row.first, row.last, row.processed_ms, row.deltas, row.digests) for row in cut), claim]
