"""What the worker knows of itself: lag, group errors that do not heal, whether it is ready (spec sections 4 and 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from faust.exceptions import ConsumerNotStarted

from voc_stream.runtime.gate import Gate


async def lag_by_topic(app: Any) -> dict[str, int]:
    """Return, by topic, how many records of the assigned partitions are not committed."""
    assigned = {tp for tp in app.consumer.assignment() if app.topics.acks_enabled_for(tp.topic)}
    ends = await app.consumer.highwaters(*assigned) if assigned else {}
    lags: Counter[str] = Counter()
    for tp, end in ends.items():
        committed = app.consumer._committed_offset.get(tp) or 0  # noqa: SLF001 - the base class has no getter
        lags[tp.topic] += max(0, (end or 0) - committed)
    return dict(lags)


async def close_if_down(gate: Gate) -> None:
    """Ask a dependency that did not answer, and close its gate if it is down: a worker without work would not notice."""
    if gate.is_open and (error := await gate.is_down()) is not None:
        gate.close(error)


async def raise_group_errors(app: Any) -> None:
    """Raise a group error that nobody else would see: the worker would live on without partitions.

    Faust fetches past the call of aiokafka that raises these.
    """
    thread = app.consumer._thread  # noqa: SLF001 - see above
    if thread._consumer is not None:  # noqa: SLF001
        await thread.call_thread(_check, thread._consumer)  # noqa: SLF001


def unready_reasons(app: Any, gates: Sequence[Gate]) -> list[str]:
    """Return why the worker should get no work now; empty when it is ready."""
    reasons = []
    if app._consumer is None or not app.consumer.started:  # noqa: SLF001 - the property would make a consumer
        reasons.append("the consumer has not started")
    elif app.rebalancing:
        reasons.append("rebalancing")
    elif app.in_recovery:
        reasons.append("recovering its tables")
    elif not _assignment(app.consumer):
        reasons.append("no partitions are assigned")
    return reasons + closed(gates)


def closed(gates: Sequence[Gate]) -> list[str]:
    """Return which dependencies are not well, and why."""
    return [f"{gate.dependency}: {gate.reason}" for gate in gates if not gate.is_open]


def _assignment(consumer: Any) -> set[Any]:
    try:
        return set(consumer.assignment())
    except ConsumerNotStarted:
        return set()  # it waits for a broker


async def _check(consumer: Any) -> None:
    consumer._coordinator.check_errors()  # noqa: SLF001 - see raise_group_errors
