"""The way of a call whose record goes back to its topic: to where the stage that failed expects it, along the allowed edges (spec section 2)."""

from __future__ import annotations

from dataclasses import dataclass

from voc_stream.stages import download, score
from voc_stream.stages.changes import EXPORT, Status


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a call had come before it failed.

    Attributes:
        status: now.
        recorded: its recording is in S3.
        outcome: of its newest result, SCORED or NOT_SCORABLE; None without one.
    """

    status: Status
    recorded: bool
    outcome: Status | None


def way_back(stage: str, reached: Reached) -> list[Status]:
    """Return the statuses that a call takes, one after the other, before a stage gets its record again; empty where it need not move.

    ERROR leads to PENDING_DOWNLOAD only; from there on the call goes over what it has: its recording before it is scored again, its result before
    that is exported again. A call that went on by itself meanwhile, or that never failed, stays where it is.
    """
    way = [Status.PENDING_DOWNLOAD]
    if stage not in {download.STAGE, score.STAGE, EXPORT}:
        return []
    if stage != download.STAGE and reached.recorded:
        way.append(Status.DOWNLOADED)
        if stage == EXPORT and reached.outcome is not None:
            way.append(reached.outcome)
    if reached.status is Status.ERROR:
        return way
    return way[way.index(reached.status) + 1 :] if reached.status in way else []
