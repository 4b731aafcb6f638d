"""What stage tests are made of: facts of a record, and calls as the recorder tells them."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.calls import ENDED, NOW, STARTED
from voc_stream.events.base import derived_id
from voc_stream.events.calls import RawCall
from voc_stream.stages.outcome import Facts
from voc_stream.stages.outside import Segment

OUT = "out"


def facts(offset: int = 1, *, now: datetime = NOW, attempt: int = 1) -> Facts:
    return Facts(now=now, topic="in", partition=0, offset=offset, attempt=attempt)


def segment(
    inum: str = "700000000000001", *, started_at: datetime = STARTED, seconds: float | None = 90, udfs: str = "", service: str = ""
) -> Segment:
    ended_at = None if seconds is None else started_at + timedelta(seconds=seconds)
    return Segment(inum=inum, started_at=started_at, ended_at=ended_at, raw_agent="4603 (agent1234.247)", service=service, udfs=udfs)


def raw_call(
    call_id: str = "700000000000001",
    *,
    started_at: datetime = STARTED,
    ended_at: datetime = ENDED,
    raw_agent: str = "4603 (agent1234.247)",
    service: str = "acme-support",
    skill: str = "billing",
    other_parties: str = "+14155550123",
    sealed_udfs: str = "",
) -> RawCall:
    return RawCall(
        event_ts=ended_at,
        ingest_uuid=derived_id("call", call_id),
        call_id=call_id,
        tenant_id="told-by-the-poller",
        started_at=started_at,
        ended_at=ended_at,
        raw_agent=raw_agent,
        other_parties=other_parties,
        skill=skill,
        service=service,
        switch_call_id="switch-1",
        sealed_udfs=sealed_udfs,
    )
