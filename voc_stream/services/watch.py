"""What the worker knows of itself: lag, group errors, recovery, whether it is ready (spec sections 4 and 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faust.exceptions import ConsumerNotStarted

from voc_stream.runtime.gate import Gate


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far the tables are read from their changelogs.

    Attributes:
        remaining: changes that are not read yet.
        total: the most that remained since it began.
    """

    remaining: int
    total: int

    def __str__(self) -> str:
        """Say it as `/readyz` does."""
        return f"recovering its tables: {self.total - self.remaining} of {self.total} changes read" if self.total else "recovering its tables"


def consumes(app: Any) -> bool:
    """Whether the consumer has started; the property would make one."""
    return app._consumer is not None and bool(app.consumer.started)  # noqa: SLF001 - see above


def recovery_of(app: Any, known: Recovery | None) -> Recovery | None:
    """Return how far the recovery is, None while there is none.

    Args:
        app: the Faust app; its consumer has started.
        known: what this returned the last time.
    """
    if not app.in_recovery:
        return None
    remaining = sum(max(0, count) for count in app.tables.recovery.active_remaining().values())
    return Recovery(remaining, max(remaining, known.total if known else 0))


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the assigned partitions hold for us, in records by topic.

    Attributes:
        lag: what is not committed: with what is being worked on, and transactions' markers, which nobody commits past.
        unread: what was not even fetched.
    """

    lag: Mapping[str, int]
    unread: Mapping[str, int]


async def backlog_of(app: Any) -> Backlog:
    """Ask Kafka how much there is."""
    assigned = {tp for tp in app.consumer.assignment() if app.topics.acks_enabled_for(tp.topic)}
    ends = await app.consumer.highwaters(*assigned) if assigned else {}
    lag: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    for tp, end in ends.items():
        behind = max(0, (end or 0) - (app.consumer._committed_offset.get(tp) or 0))  # noqa: SLF001 - the base class has no getter
        lag[tp.topic] += behind
        if behind:
            unread[tp.topic] += max(0, (end or 0) - (await app.consumer.position(tp) or 0))
    return Backlog(dict(lag), dict(unread))


async def close_if_down(gate: Gate) -> None:
    """Ask a dependency that did not answer, and close its gate if it is down: a worker without work would not notice."""
    if gate.is_open and (error := await gate.is_down()) is not None:
        gate.close(error)


async def group_error(app: Any) -> Exception | None:
    """Return an error of the group that nobody else would see: the worker would live on without partitions.

    Faust fetches past the call of aiokafka that raises these.
    """
    thread = app.consumer._thread if consumes(app) else None  # noqa: SLF001 - see above
    if thread is None or thread._consumer is None:  # noqa: SLF001
        return None
    error: Exception | None = await thread.call_thread(_error_of, thread._consumer)  # noqa: SLF001
    return error


def unready_reasons(app: Any, gates: Sequence[Gate], recovery: Recovery | None = None) -> list[str]:
    """Return why the worker should get no work now; empty when it is ready.

    Args:
        app: the Faust app.
        gates: of every dependency.
        recovery: how far it is, while there is one.
    """
    reasons = []
    if not consumes(app):
        reasons.append("the consumer has not started")
    elif app.in_recovery:
        reasons.append(str(recovery or "recovering its tables"))
    elif app.rebalancing:
        reasons.append("rebalancing")
    elif not any(app.topics.acks_enabled_for(tp.topic) for tp in _assignment(app.consumer)):
        reasons.append("no partitions are assigned")
    return reasons + closed(gates)


def closed(gates: Sequence[Gate]) -> list[str]:
    """Return which dependencies are not well, and why."""
    return [f"{gate.dependency}: {gate.reason}" for gate in gates if not gate.is_open]


def flapping(gates: Sequence[Gate]) -> list[str]:
    """Return which dependencies are well just now and were not a moment ago, again and again."""
    return [f"{gate.dependency}: {gate.flapping}" for gate in gates if gate.flapping is not None]


def _assignment(consumer: Any) -> set[Any]:
    try:
        return set(consumer.assignment())
    except ConsumerNotStarted:
        return set()  # it waits for a broker


async def _error_of(consumer: Any) -> Exception | None:
    try:
        consumer._coordinator.check_errors()  # noqa: SLF001 - see group_error
    except Exception as error:  # noqa: BLE001 - raised here it would end the consumer's thread
        return error
    return None
