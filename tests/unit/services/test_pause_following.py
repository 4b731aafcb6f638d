"""A worker follows the operator's pauses (docs/pausing.md)."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

from tests.unit.runtime.world import Dependency
from voc_stream.errors import OutageError, RejectedError
from voc_stream.runtime.gate import Gate
from voc_stream.services.pause_following import PauseFollower

NEWS = (
    SimpleNamespace(action="self-pause", stage="score", reason="9 of 10"),
    SimpleNamespace(action="self-resume", stage="score", reason="a probe passed"),
)


class Pauses:
    """What a worker would know."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.went_on = 0
        self._news = deque(NEWS)

    def tell(self, orders: Any) -> None:
        self.told.append(orders)

    def tell_nothing(self) -> None:
        self.went_on += 1

    def news(self) -> deque[Any]:
        return self._news


class Store:
    """Orders and an audit log; `fails` is what writing the log raises, once."""

    def __init__(self, reading: Exception | None = None, writing: Exception | None = None) -> None:
        self.audit: list[tuple[str, ...]] = []
        self._reading = reading
        self._writing = writing

    async def read(self) -> list[str]:
        if self._reading:
            raise self._reading
        return ["an order"]

    async def tell_audit(self, *row: str) -> None:
        if self._writing:
            error, self._writing = self._writing, None
            raise error
        self.audit.append(row)


def follower(store: Store) -> tuple[PauseFollower, Pauses, Gate]:
    pauses, gate = Pauses(), Gate("postgres", Dependency().probe)
    return PauseFollower(store, pauses, gate, "worker-1"), pauses, gate  # type: ignore[arg-type]


async def test_orders_are_followed_and_what_stages_decided_goes_to_the_audit_log_once() -> None:
    store = Store()
    it, pauses, _ = follower(store)
    await it.turn()
    await it.turn()
    assert pauses.told == [["an order"], ["an order"]]
    assert store.audit == [("self-pause", "score", "9 of 10", "worker-1"), ("self-resume", "score", "a probe passed", "worker-1")]


async def test_an_outage_closes_the_gate_and_leaves_what_was_known() -> None:
    it, pauses, gate = follower(Store(reading=OutageError("postgres", "refused")))
    await it.turn()
    assert (gate.is_open, pauses.told, pauses.went_on) == (False, [], 1)
    await it.turn()
    assert pauses.went_on == 2
    await gate.stop()


async def test_news_that_the_audit_log_refuses_is_kept_for_the_next_turn() -> None:
    store = Store(writing=RejectedError("postgres", "value too long"))
    it, pauses, gate = follower(store)
    await it.turn()
    assert (store.audit, len(pauses.news()), gate.is_open) == ([], 2, True)
    await it.turn()
    assert (len(store.audit), len(pauses.news())) == (2, 0)
