"""What the rows of a partition's ledger mean: which windows are known, who claims next, and when that must be refused (docs/adr/0012)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from voc_stream.stages.ranges import Claim, ClaimId, Place, Range, Row, Seen


class RefusalError(Exception):
    """Going on would store events twice or not at all; the message is one line that says why and how to go on."""


@dataclass(frozen=True, slots=True)
class History:
    """A partition's past, as its rows tell it.

    Attributes:
        newest: the newest claim, None for a partition that was never claimed.
        current: known ranges, by offset: rows of the newest claim, and those that it adopted.
        older: rows that end before the newest claim's position; void ones of former owners may be among them, so that only their ids count,
            unless the position goes back.
        seen: ids of windows yet older.
    """

    newest: Claim | None
    current: tuple[Range, ...]
    older: tuple[Range, ...]
    seen: tuple[Seen, ...]

    @property
    def last(self) -> int:
        """Return the last offset that is known, -1 where none is."""
        return max((row.last for row in (*self.current, *self.older, *self.seen)), default=-1)

    def ending_at_or_after(self, position: int) -> tuple[Range, ...]:
        """Return known ranges that a claim at this position adopts, by offset."""
        found = [row for row in self.current if row.last >= position]
        if self.newest is not None and position < self.newest.position:
            # Somebody set the group's offset back. Where claims disagree about offsets that are long committed, the newer one formed them.
            for row in sorted(self.older, key=lambda row: row.claim, reverse=True):
                if row.last >= position and all(row.last < other.first or other.last < row.first for other in found):
                    found.append(row)
        return tuple(sorted(found, key=lambda row: row.first))


def read_rows(rows: Iterable[Row]) -> History:
    """Tell which rows count: the newest claim's, what that claim adopted, and what ends before its position. The rest a former owner wrote late."""
    claims: list[Claim] = []
    ranges: list[Range] = []
    seen: list[Seen] = []
    for row in rows:
        match row:
            case Claim():
                claims.append(row)
            case Range():
                ranges.append(row)
            case Seen():
                seen.append(row)
    seen.sort(key=lambda row: row.last)
    newest = max(claims, key=lambda claim: claim.id, default=None)
    if newest is None:
        return History(None, (), (), tuple(seen))
    adopted = set(newest.adopted)
    current = sorted((row for row in ranges if row.claim == newest.id or row.span in adopted), key=lambda row: row.first)
    older = sorted(
        (row for row in ranges if row.claim < newest.id and row.last < newest.position and row.span not in adopted), key=lambda row: row.first
    )
    return History(newest, tuple(current), tuple(older), tuple(seen))


@dataclass(frozen=True, slots=True)
class Taking:
    """How a partition is taken over: the claim to write, the ranges that must be formed again, and where to begin."""

    claim: Claim
    adopted: tuple[Range, ...]

    @property
    def start(self) -> int:
        """Return the offset of the first record to work on."""
        return self.claim.position

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Return the offsets, both inclusive, before and between the adopted ranges: windows there will be formed anew."""
        position = self.start
        for row in self.adopted:
            if position < row.first:
                yield position, row.first - 1
            position = max(position, row.last + 1)


def take_over(place: Place, history: History, position: int, generation: int) -> Taking:
    """Claim a partition from the group's offset on; inside an adopted range the claim begins at that range's first offset.

    Args:
        place: the partition.
        history: its rows, read after the table was recovered.
        position: the group's committed offset, or where reading began without one.
        generation: of the consumer group.

    Raises:
        RefusalError: two adopted ranges overlap, which no run of these rules writes.
    """
    adopted = history.ending_at_or_after(position)
    for one, other in pairwise(adopted):
        if other.first <= one.last:
            raise RefusalError(
                f"{place}: the ledger of windows is damaged: ranges {one.first}-{one.last} and {other.first}-{other.last} overlap; "
                "restore the changelog, or set KAFKA_INCARNATION anew and the group's offset after what ClickHouse holds"
            )
    start = min([position, *(row.first for row in adopted if row.first <= position <= row.last)])
    epoch = 1 if history.newest is None else history.newest.id.epoch + 1
    return Taking(Claim(ClaimId(epoch, generation), start, tuple(row.span for row in adopted)), adopted)


def refuse_shorter_topic(place: Place, history: History, end: int) -> None:
    """Check that the topic still is the one that the ledger knows.

    Args:
        place: the partition.
        history: its rows.
        end: the offset after the partition's last record.

    Raises:
        RefusalError: it ends before a known range does.
    """
    if end <= history.last:
        raise RefusalError(
            f"{place}: the topic ends at {end} but windows up to {history.last} are known: it was made anew or lost its tail; "
            f"to take it for a new topic, set KAFKA_INCARNATION to another value than {place.incarnation!r}"
        )


def refuse_lost_ledger(place: Place, taking: Taking, stored: int | None) -> None:
    """Check that the ledger knows everything that was stored beyond the position.

    Args:
        place: the partition.
        taking: the claim about to be written.
        stored: the newest offset of this partition and incarnation in ClickHouse, None without any.

    Raises:
        RefusalError: ClickHouse holds offsets that would be stored again.
    """
    known = max([taking.start - 1, *(row.last for row in taking.adopted)])
    if stored is not None and stored > known:
        raise RefusalError(
            f"{place}: ClickHouse holds events up to offset {stored} but the group stands at {taking.start} and the ledger knows windows up to "
            f"{known}: a new group, or a lost changelog; {_how_to_go_on(place, stored)}"
        )


def refuse_stored_between(place: Place, taking: Taking, first: int, held: Collection[int], stored: int) -> None:
    """Check that nothing is stored where no range is known any more: it would be formed anew under other tokens.

    Args:
        place: the partition.
        taking: the claim about to be written.
        first: of the offsets that were asked for.
        held: those of them that ClickHouse holds.
        stored: the newest offset of this partition and incarnation in ClickHouse.

    Raises:
        RefusalError: there is something.
    """
    if held:
        raise RefusalError(
            f"{place}: the group stands at {taking.start} and ClickHouse holds events from offset {min(held)} on, but the ledger knows no window "
            f"at {first}: the group's offset was set back or expired; {_how_to_go_on(place, stored)}"
        )


def _how_to_go_on(place: Place, stored: int) -> str:
    return (
        f"to go on, set the group's offset of this partition to {stored + 1}, "
        f"or, to store the topic once more, set KAFKA_INCARNATION to another value than {place.incarnation!r}"
    )
