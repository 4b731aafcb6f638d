"""One `calls.raw` per call_id: a duplicate is dropped, a redelivery is not one (spec section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voc_stream.events.calls import RawCall
from voc_stream.stages.outcome import Drop, Facts, Ok, Outcome, Publication


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What to do with each record, and which first offsets must be remembered before anything is published."""

    outcomes: tuple[Outcome, ...]
    first_seen: Mapping[str, int]


def judge(calls: Sequence[tuple[RawCall, Facts]], seen: Mapping[str, int], topic: str) -> Verdicts:
    """Judge records of one partition.

    Args:
        calls: in offset order.
        seen: the offset that brought a call_id first, as far as known. A record at that very offset is a redelivery after a
            crash, whose output may never have been published: it passes.
        topic: where calls that pass go.
    """
    first_seen: dict[str, int] = {}
    outcomes: list[Outcome] = []
    for call, facts in calls:
        known = first_seen.get(call.call_id, seen.get(call.call_id))
        if known is None:
            first_seen[call.call_id] = facts.offset
        if known is None or known == facts.offset:
            outcomes.append(Ok(out=(Publication(topic, call.call_id, call),)))
        else:
            outcomes.append(Drop("duplicate"))
    return Verdicts(tuple(outcomes), first_seen)
