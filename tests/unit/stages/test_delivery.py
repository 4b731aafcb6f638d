"""The order of a window's steps, and what is sent again after what."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from voc_stream.stages.delivery import AbandonedError, Answer, AskLease, AskStored, Insert, KeepRow, Resolve, RunHooks, SendLetters, WriteRow, deliver
from voc_stream.stages.ranges import ClaimId, Place, Range
from voc_stream.stages.seen_ids import Horizon, SeenIds
from voc_stream.stages.windows import Check, Window

PLACE = Place("1", "voc.calls", 0)
TOKEN_MS = 600_000

Steps = Generator[Any, Any, None]


class Record:
    headers = ()

    def __init__(self, offset: int) -> None:
        self.offset, self.value = offset, b"%d" % offset


def decode(value: bytes | None) -> Any:
    return SimpleNamespace(tenant_id="acme", event_id=str(uuid.UUID(int=int(value or b"0") + 1)), timestamp=datetime(2026, 11, 22, tzinfo=UTC))


class Scene:
    """A window of ten records and its steps; `now` is in milliseconds."""

    def __init__(self) -> None:
        self.now = 0
        self.window, self.row = self._formed(None)
        self.steps: Steps = deliver(self.window, self.row, lambda: self.now, TOKEN_MS)

    def _formed(self, known: Range | None) -> tuple[Window, Range]:
        window = Window(PLACE, ClaimId(1, 1), 0, 9, self.now, known)
        window.judge([Record(offset) for offset in range(10)], Check(decode, lambda _: None))
        return window, window.settle(SeenIds(Horizon(1000)), frozenset())

    def adopted(self) -> None:
        """Form the same window again, from its row."""
        self.window, _ = self._formed(self.row)
        self.steps = deliver(self.window, self.row, lambda: self.now, TOKEN_MS)

    def run(self, insert: Callable[[Insert], Answer], stored: Callable[[], set[int]] = set, *, leases: int = 1 << 30) -> list[Any]:
        """Perform the steps, and return them."""
        done: list[Any] = []
        reply: Any = None
        while True:
            try:
                step = self.steps.send(reply)
            except StopIteration:
                return done
            done.append(step)
            match step:
                case AskLease():
                    leases -= 1
                    reply = leases >= 0
                case Insert():
                    reply = insert(step)
                case AskStored():
                    reply = stored()
                case _:
                    reply = None


def kinds(steps: list[Any]) -> list[type]:
    return [type(step) for step in steps]


def test_a_new_window_is_written_down_kept_inserted_told_and_resolved_in_this_order() -> None:
    done = Scene().run(lambda _: Answer.STORED)
    assert kinds(done) == [WriteRow, AskLease, KeepRow, AskLease, Insert, SendLetters, RunHooks, Resolve]


def test_every_attempt_asks_for_the_lease_and_has_the_same_token() -> None:
    answers = [Answer.UNKNOWN, Answer.UNKNOWN, Answer.STORED]
    done = Scene().run(lambda _: answers.pop(0))
    assert kinds(done)[3:9] == [AskLease, Insert] * 3
    assert {step.token for step in done if isinstance(step, Insert)} == {"1:voc.calls:0:0-9"}


@pytest.mark.parametrize("leases", [0, 1, 2])
def test_without_the_lease_nothing_further_is_done(leases: int) -> None:
    inserted: list[Insert] = []

    def lost(step: Insert) -> Answer:
        inserted.append(step)
        return Answer.UNKNOWN

    with pytest.raises(AbandonedError):
        Scene().run(lost, leases=leases)
    assert len(inserted) == max(0, leases - 1)


def test_an_adopted_window_is_sent_again_with_its_token() -> None:
    scene = Scene()
    scene.adopted()
    done = scene.run(lambda _: Answer.STORED)
    assert kinds(done) == [AskLease, Insert, SendLetters, RunHooks, Resolve]
    assert done[1].token == "1:voc.calls:0:0-9"


def test_of_an_old_adopted_window_only_what_is_absent_is_inserted() -> None:
    scene = Scene()
    scene.adopted()
    scene.now = TOKEN_MS + 1
    done = scene.run(lambda _: Answer.STORED, lambda: set(range(7)))
    (insert,) = [step for step in done if isinstance(step, Insert)]
    assert list(insert.indexes) == [7, 8, 9]


def test_an_insert_without_an_answer_is_repeated_with_the_same_token_however_long_the_server_hangs() -> None:
    """A server that was stopped for eleven minutes has our requests in its buffers. When it goes on it answers what is asked beside inserting them.

    Nothing was inserted meanwhile that could have made it forget the token: that is counted in parts, not in minutes.
    """
    scene = Scene()
    table: list[int] = []
    tokens: set[str] = set()
    buffered: list[Insert] = []

    def arrive(step: Insert) -> None:
        if step.token not in tokens:
            tokens.add(step.token)
            table.extend(scene.window.records[index].offset for index in step.indexes)

    def insert(step: Insert) -> Answer:
        if scene.now <= TOKEN_MS:
            buffered.append(step)
            scene.now += 30_000
            return Answer.UNKNOWN
        arrive(step)
        return Answer.STORED

    scene.run(insert, lambda: set(table))
    for late in buffered:
        arrive(late)
    assert sorted(table) == list(range(10))
