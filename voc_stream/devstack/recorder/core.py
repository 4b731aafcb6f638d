"""The recorder itself, without HTTP: what it knows, and what time it is there."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from voc_stream.devstack.recorder.answers import Layout, Scribe
from voc_stream.devstack.recorder.calls import Call, CallLog
from voc_stream.devstack.recorder.faults import Fault, Faults
from voc_stream.devstack.recorder.kinds import KINDS
from voc_stream.devstack.recorder.plan import PlannedCall
from voc_stream.devstack.recorder.recording import Recording
from voc_stream.devstack.recorder.studio import Script, Studio

log = structlog.get_logger(__name__)

_INUMS_A_SECOND = 100_000


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """A recorder's state.

    Args:
        folder: where made recordings are kept from one start to the next.
        zone: its local zone.
        result_cap: the most results of one search; the rest is cut without a word.
        clock: tells the true time, in UTC.
        first_inum: the first recording's number. By default it grows with the time of the start, so that a recorder started again
            does not hand out old numbers, as no real one does.
    """

    def __init__(
        self, folder: Path, *, zone: ZoneInfo, result_cap: int = 1000, clock: Callable[[], datetime] = _now, first_inum: int | None = None
    ) -> None:
        self.studio = Studio(folder)
        self.calls = CallLog()
        self.faults = Faults()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.bytes_sent = 0
        self.replays_in_flight = 0
        self.most_replays_in_flight = 0
        self.zone = zone
        self.result_cap = result_cap
        self.now = clock
        started = int(clock().timestamp())
        self._inums = itertools.count(700_000_000_000_000 + started * _INUMS_A_SECOND if first_inum is None else first_inum)

    async def prepare(self, planned: PlannedCall) -> list[Recording]:
        """Have the recordings of a call made, so that their lengths are known before anyone hears of it."""
        return [await self.studio.record(each.source) if isinstance(each.source, Script) else each.source for each in planned.segments]

    def enter(
        self, planned: PlannedCall, recordings: Sequence[Recording], *, ended_at: datetime | None, started_at: datetime | None = None
    ) -> list[Call]:
        """Enter a call whose last segment ends at `ended_at`; the times of the others follow from their lengths.

        Args:
            planned: the call.
            recordings: as `prepare` made them.
            ended_at: of the last segment; None leaves it in progress.
            started_at: of the last segment; by default the end, or else the present, less the length of the recording.
        """
        switch_call_id = ""
        entered: list[Call] = []
        starts, ends = self._times(planned, recordings, started_at=started_at, ended_at=ended_at)
        for each, recording, start, end in zip(planned.segments, recordings, starts, ends, strict=True):
            inum = str(next(self._inums))
            switch_call_id = switch_call_id or f"1{inum[-10:]}"
            call = Call(
                inum=inum,
                kind=planned.kind,
                expected=planned.expected,
                recording=recording,
                started_at=start,
                ended_at=end,
                agent=each.agent,
                other_party=planned.other_party,
                skill=each.skill,
                service=planned.service,
                switch_call_id=switch_call_id,
                udfs=planned.udfs,
                style=planned.style,
                late=planned.late,
            )
            self.calls.add(call)
            self._break_what_breaks(call)
            entered.append(call)
            log.info("call recorded", call_id=inum, kind=planned.kind, started_at=start.isoformat(), ended_at=end.isoformat() if end else None)
        return entered

    def _times(
        self, planned: PlannedCall, recordings: Sequence[Recording], *, started_at: datetime | None, ended_at: datetime | None
    ) -> tuple[list[datetime], list[datetime | None]]:
        starts: list[datetime] = []
        ends: list[datetime | None] = []
        end = ended_at.replace(microsecond=0) if ended_at else None
        start = started_at
        for each, recording in zip(reversed(planned.segments), reversed(recordings), strict=True):
            length = timedelta(seconds=max(1, round(recording.seconds)))
            start = (start or (end or self.now()) - length).replace(microsecond=0)
            starts.append(start)
            ends.append(end)
            end, start = start - timedelta(seconds=each.gap), None
        return starts[::-1], ends[::-1]

    def _break_what_breaks(self, call: Call) -> None:
        kind = KINDS.get(call.kind)
        if kind is not None and kind.fault is not None:
            fault = kind.fault
            self.faults.add(Fault(kind=fault.kind, command="replay", inum=call.inum, times=fault.times, status=500, after_bytes=fault.after_bytes))

    def search(self, first: datetime, last: datetime, layout: Layout) -> bytes:
        """The answer for the calls that started from `first` to `last`, both included, by the wall clock of the recorder.

        Wall-clock times are compared as they are written, so that in the hour which a change to winter time repeats, both passes match.
        """
        now = self.now()
        scribe = Scribe(self.zone, self._skew(now), now)
        lates = self.faults.all_of("late", now)
        shown = [call for call in self.calls if _shown(call, now, lates)]
        found = [call for call in shown if first <= scribe.wall(call.started_at) <= last]
        found.sort(key=lambda call: (scribe.wall(call.started_at), call.inum))
        records = [[call] for call in found] if layout == "segment" else _contacts(found, shown)
        duplicate = self.faults.take("duplicate", "search", now=now)
        if duplicate is not None:
            records = [record for each in records for record in ([each, each] if _is_about(duplicate, each) else [each])]
        kept = records[: self.result_cap]
        return scribe.by_segment([record[0] for record in kept]) if layout == "segment" else scribe.by_contact(kept)

    def hang_up(self, call: Call) -> None:
        """End a call that is in progress, now."""
        call.ended_at = max(self.now().replace(microsecond=0), call.started_at)

    def forget(self) -> None:
        """Back to an empty recorder without faults or counts; what was made stays in its folder."""
        self.calls.clear()
        self.faults.clear()
        self.requests.clear()
        self.bytes_sent = self.most_replays_in_flight = 0

    def _skew(self, now: datetime) -> timedelta:
        return timedelta(seconds=sum(fault.seconds or 0.0 for fault in self.faults.all_of("clock_skew", now)))


def _shown(call: Call, now: datetime, lates: Sequence[Fault]) -> bool:
    if call.deleted or call.started_at > now:
        return False
    late = max([call.late, *(fault.seconds or 0.0 for fault in lates if _is_about(fault, [call]))])
    return late == 0 or (call.ended_at is not None and now >= call.ended_at + timedelta(seconds=late))


def _is_about(fault: Fault, record: Sequence[Call]) -> bool:
    return fault.inum is None or any(call.inum == fault.inum for call in record)


def _contacts(found: Sequence[Call], shown: Sequence[Call]) -> list[list[Call]]:
    """Every contact of which a segment was found, whole."""
    contacts: dict[str, list[Call]] = {call.switch_call_id: [] for call in found}
    for call in shown:
        if call.switch_call_id in contacts:
            contacts[call.switch_call_id].append(call)
    return list(contacts.values())
