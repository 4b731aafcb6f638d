"""The order in which a window takes effect, without doing it: generators of steps, for the runtime to perform (docs/adr/0012).

Between any two steps the worker may die, sleep past its session and wake up, or lose its partition.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias

import msgspec

from voc_stream.stages.history import History, Taking, refuse_lost_ledger, refuse_shorter_topic, refuse_stored_between, take_over
from voc_stream.stages.outcome import DeadLetter
from voc_stream.stages.ranges import Claim, Place, Range
from voc_stream.stages.windows import Window

# Offsets whose whereabouts are asked for in one query.
_ASKED_AT_ONCE = 100_000


class AbandonedError(Exception):
    """The partition is not surely ours any more: nothing further is done, nothing acknowledged; its records come again."""


class Answer(Enum):
    """What became of an insert."""

    STORED = auto()
    UNKNOWN = auto()
    """No answer, or an outage: it may be stored or not; the same again, with the same token."""
    REJECTED = auto()
    """These rows will never be accepted as they are; none of them was stored."""


@dataclass(frozen=True, slots=True)
class AskEnd:
    """The reply is the offset after the partition's last record."""


@dataclass(frozen=True, slots=True)
class AskNewest:
    """The reply is the newest offset of the partition in ClickHouse, or None."""


@dataclass(frozen=True, slots=True)
class WriteRow:
    """Send the row to the changelog; done when that has acknowledged it."""

    row: Claim | Range


@dataclass(frozen=True, slots=True)
class KeepRow:
    """Put the acknowledged row into the local table. Earlier, a ghost would survive; without the lease, rows of the new owner would be missed."""

    row: Claim | Range


@dataclass(frozen=True, slots=True)
class AskLease:
    """The reply is whether nobody else can own the partition at this moment."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert the window's accepted rows of these indexes, under the token; the reply is an Answer."""

    token: str
    indexes: Sequence[int]


@dataclass(frozen=True, slots=True)
class AskStored:
    """The reply is the set of offsets, `first` to `last`, that ClickHouse holds."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RebuildViews:
    """Make the views of the window's days anew from the table."""


@dataclass(frozen=True, slots=True)
class SendLetters:
    """Write the window's dead letters and what moves to the overflow topic; done when they are acknowledged."""


@dataclass(frozen=True, slots=True)
class RunHooks:
    """Let those know who want to hear of stored events."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """Everything up to `last` is done: it may be committed. All of a window at once: a commit inside one would lose its rest."""

    last: int


Step: TypeAlias = AskEnd | AskNewest | WriteRow | KeepRow | AskLease | Insert | AskStored | RebuildViews | SendLetters | RunHooks | Resolve


def claim(place: Place, history: History, position: int, generation: int) -> Generator[Step, Any, Taking]:
    """Take a partition over.

    Args:
        place: the partition.
        history: its rows, read after the table was recovered.
        position: where the group stands.
        generation: of the group.

    Raises:
        RefusalError: going on would store events twice or not at all.
        AbandonedError: the partition was lost meanwhile.
    """
    taking = take_over(place, history, position, generation)
    end, stored = (yield AskEnd()), (yield AskNewest())
    held = yield from _held_between(taking, stored)
    # To a former owner that wakes up here, what the new one stored would look like the work of a lost ledger.
    yield from _be_owner()
    refuse_shorter_topic(place, history, end)
    refuse_lost_ledger(place, taking, stored)
    for first, offsets in held:
        refuse_stored_between(place, taking, first, offsets, stored)
    yield WriteRow(taking.claim)
    yield from _be_owner()
    yield KeepRow(taking.claim)
    return taking


def deliver(window: Window, row: Range, now_ms: Callable[[], int], token_ms: int) -> Generator[Step, Any, None]:
    """Store a window that is formed.

    Args:
        window: settled.
        row: its row; already known where `window.known` is set.
        now_ms: milliseconds of the epoch.
        token_ms: for how long ClickHouse surely remembers a token.

    Raises:
        AbandonedError: the partition was lost meanwhile.
    """
    if window.known is None:
        yield WriteRow(row)
        yield from _be_owner()
        yield KeepRow(row)
    indexes = range(len(window.records))
    storing = _Storing(window, now_ms, token_ms, again=window.known is not None)
    if not indexes:
        yield from _be_owner()
    elif row.split:
        yield from storing.parts(indexes)
    elif (yield from storing.whole(window.token, indexes)) is Answer.REJECTED:
        yield from _remember_split(row)
        yield from storing.parts(indexes)
    yield SendLetters()
    yield RunHooks()
    yield Resolve(window.last)


def _held_between(taking: Taking, stored: int | None) -> Generator[Step, Any, list[tuple[int, set[int]]]]:
    """Ask for what is stored where no range is known; the first that is found is enough."""
    for first, last in taking.gaps():
        for start in range(first, min(last, -1 if stored is None else stored) + 1, _ASKED_AT_ONCE):
            held: set[int] = yield AskStored(start, min(last, start + _ASKED_AT_ONCE - 1))
            if held:
                return [(start, held)]
    return []


def _be_owner() -> Generator[Step, Any, None]:
    if not (yield AskLease()):
        raise AbandonedError


def _remember_split(row: Range) -> Generator[Step, Any, None]:
    """Write down that the window goes in parts, before the first part does: whoever forms it again must not insert it whole."""
    split = msgspec.structs.replace(row, split=True)
    yield WriteRow(split)
    yield from _be_owner()
    yield KeepRow(split)


@dataclass(slots=True)
class _Storing:
    """The inserts of one window; `again` once any of its rows may have been sent before."""

    window: Window
    now_ms: Callable[[], int]
    token_ms: int
    again: bool

    def whole(self, token: str, indexes: Sequence[int]) -> Generator[Step, Any, Answer]:
        """Insert until it is known what became of it; lease and age are looked at just before every attempt, for either may wait long."""
        while True:
            yield from _be_owner()
            if self.again and self.now_ms() - self.window.processed_ms > self.token_ms:
                return (yield from self._heal(token, indexes))
            answer: Answer = yield Insert(token, indexes)
            self.again = True
            if answer is not Answer.UNKNOWN:
                return answer

    def parts(self, indexes: Sequence[int]) -> Generator[Step, Any, None]:
        """Halve what ClickHouse refuses until the rows at fault are alone; these become dead letters, their neighbours are stored."""
        records = self.window.records
        if len(indexes) == 1:
            self.window.letters.append((records[indexes[0]], DeadLetter("rejected", "ClickHouse does not accept the row")))
            return
        middle = len(indexes) // 2
        for part in (indexes[:middle], indexes[middle:]):
            token = f"{self.window.token}/{records[part[0]].offset}-{records[part[-1]].offset}"
            if (yield from self.whole(token, part)) is Answer.REJECTED:
                yield from self.parts(part)

    def _heal(self, token: str, indexes: Sequence[int]) -> Generator[Step, Any, Answer]:
        """Store what ClickHouse does not hold, for it may have forgotten the token; and make the views anew, which a crash may have cut off."""
        window, answer = self.window, Answer.UNKNOWN
        while answer is Answer.UNKNOWN:
            stored = yield AskStored(window.first, window.last)
            absent = [index for index in indexes if window.records[index].offset not in stored]
            yield from _be_owner()
            if not absent:
                break
            # Where nothing is stored the token stays the same: a former owner that wakes up between its lease and its insert adds nothing.
            whole = len(absent) == len(indexes)
            answer = yield Insert(token if whole else f"{token}+{window.records[absent[0]].offset}.{len(absent)}", absent)
        if answer is not Answer.REJECTED:
            yield RebuildViews()
        return answer
