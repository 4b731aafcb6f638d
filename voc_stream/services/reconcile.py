"""The completeness ledger's work: which hours are closed, what each of them comes to, and where that is kept (docs/completeness.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

from voc_stream import topics
from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.completeness_asks import CompletenessAsks
from voc_stream.clients.completeness_rows import CompletenessRows
from voc_stream.clients.completeness_store import CompletenessStore
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.topic_reader import TopicReader
from voc_stream.logs import get_logger
from voc_stream.runtime import metrics
from voc_stream.services.call_census import HOUR, CallCensus
from voc_stream.services.event_census import EventCensus
from voc_stream.services.poller import SWEEP, WINDOW
from voc_stream.services.searching import Searches
from voc_stream.services.tenants_file import TenantsFile
from voc_stream.settings import Settings
from voc_stream.stages.completeness import Equation, Known, Names, merged

logger = get_logger(__name__)

# An hour is compared with topics while they surely keep it.
_RETENTION_SLACK = timedelta(hours=6)


class Checkpoints(Protocol):
    """What is needed of the store of calls."""

    async def checkpoint(self, checkpoint_id: int) -> tuple[datetime, datetime] | None:
        """Where polling stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Every place that is asked."""

    recorder: Searches
    checkpoints: Checkpoints
    objects: ObjectStore
    warehouse: ClickHouse
    db: Database
    tenants: TenantsFile


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the pipeline was when a run began.

    Attributes:
        committed: the group's offsets.
        passed: topic → what was written before this time is done with.
        due_by: calls that ended before this time should be everywhere.
        since: what started before this time was never to be polled.
        closed: the end of the newest closed hour; None where nothing was polled yet.
    """

    committed: Mapping[tuple[str, int], int]
    passed: Mapping[str, datetime]
    due_by: datetime
    since: datetime
    closed: datetime | None

    def hours(self, count: int) -> list[datetime]:
        """Return the last so many closed hours, oldest first; none from before the first poll."""
        if self.closed is None:
            return []
        return [hour for age in range(count, 0, -1) if (hour := self.closed - HOUR * age) >= self.since]


class Reconciler:
    """Examines closed hours.

    Args:
        places: what is asked; opened by their owner.
        settings: KAFKA_*, AVAYA_*, RECONCILE_*, DEDUP_WINDOW_SECONDS.
        names: of the calls pipeline's topics.
        now: the time, aware.
    """

    def __init__(
        self, places: Places, settings: Settings, *, names: Names | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._places = places
        self._settings = settings
        self._names = names or Names()
        self._now = now
        self._rows = CompletenessRows(places.db)
        self._store = CompletenessStore(places.db)
        self._settle = timedelta(seconds=settings.reconcile_settle_seconds)

    async def turn(self) -> int:
        """Examine the last RECONCILE_HOURS closed hours once a new one is closed; return how many gaps there are, 0 where nothing was to do.

        Raises:
            OutsideError: a server failed; the next turn begins anew.
        """
        newest = _start(self._now() - self._settle) - HOUR
        checked = await self._store.checked(newest - HOUR * self._settings.reconcile_hours)
        if newest in checked:
            return 0
        async with TopicReader(self._settings) as reader:
            standing = await self.standing(reader)
            if not standing.hours(1) or standing.hours(1)[0] in checked:
                # The poller is behind, or has just begun.
                return 0
            found = await self.run_from(standing, reader, self._settings.reconcile_hours)
        gaps = sum(equation.gap_count for equation in found)
        logger.info("closed hours were examined", equations=len(found), gaps=gaps)
        return gaps

    async def run_from(self, standing: Standing, reader: TopicReader, count: int) -> list[Equation]:
        """Examine the last `count` closed hours and keep what they come to.

        Raises:
            OutsideError: a server failed; hours that were examined before are kept.
        """
        found: list[Equation] = []
        for hour in standing.hours(count):
            equations = await self.examine(hour, standing, reader)
            await self._store.save(hour, equations, self._now())
            found += equations
        await self._measure(count)
        return found

    async def examine(self, hour: datetime, standing: Standing, reader: TopicReader) -> list[Equation]:
        """Return what an hour comes to.

        Raises:
            OutsideError: a server failed.
        """
        places, settings, now = self._places, self._settings, self._now()
        asks = CompletenessAsks(places.warehouse)
        known = Known(
            now=now,
            settle=self._settle,
            passed=standing.passed,
            committed={partition: offset for (topic, partition), offset in standing.committed.items() if topic == self._names.raw},
            raw_kept=self._keeps("calls.raw", hour),
            forgets=await self._rows.forgets(hour),
            kept_since=self._kept_since,
            dedup=timedelta(seconds=settings.dedup_window_seconds),
            names=self._names,
        )
        calls = CallCensus(
            recorder=places.recorder,
            reader=reader,
            rows=self._rows,
            objects=places.objects,
            asks=asks,
            tenants=places.tenants,
            longest_call=timedelta(seconds=settings.avaya_max_call_seconds),
            recorder_id=settings.avaya_recorder_id,
        )
        events = EventCensus(
            reader=reader,
            rows=self._rows,
            asks=asks,
            changelog=f"{settings.kafka_group_id}-{topics.EVENT_RANGES}-changelog",
            incarnation=settings.kafka_incarnation,
            dedup=known.dedup,
        )
        names = [topic for topic in (*settings.kafka_topics, topics.VOC_OVERFLOW) if self._keeps(topic, hour)]
        found = await calls.hour(hour, known, standing.due_by)
        found += await events.hour(hour, names, committed=standing.committed, forgets=known.forgets, kept_since=self._kept_since, now=now)
        return merged(found)

    async def standing(self, reader: TopicReader) -> Standing:
        """Return how far the pipeline is: asked before anything else, so that what is there later is never taken for missing.

        Raises:
            OutsideError: a server failed.
        """
        now, names = self._now(), self._names
        checkpoints = self._places.checkpoints
        window, sweep = await checkpoints.checkpoint(WINDOW), await checkpoints.checkpoint(SWEEP)
        committed = await reader.committed()
        reads = (names.polled, names.enriched, names.ready, names.results, names.events)
        passed = {topic: await reader.done_until(topic, committed, now) for topic in reads}
        since = await self._rows.first_poll() or now
        if window is None or sweep is None:
            return Standing(committed, passed, now, since, None)
        due_by = min(now, sweep[1], passed[names.polled]) - self._settle
        return Standing(committed, passed, due_by, since, _start(min(due_by, window[1])))

    async def _measure(self, count: int) -> None:
        since = self._now() - self._settle - HOUR * (count + 1)
        for hop, gaps in (await self._store.open_gaps(since)).items():
            metrics.COMPLETENESS_GAPS.labels(hop).set(gaps)
        metrics.COMPLETENESS_CHECKED.set(self._now().timestamp())

    def _keeps(self, topic: str, hour: datetime) -> bool:
        kept = {each.name: each.retention_seconds for each in topics.all_topics(self._settings)}
        seconds = kept.get(topic)
        return seconds is None or hour > self._now() - timedelta(seconds=seconds) + _RETENTION_SLACK

    def _kept_since(self, tenant_id: str) -> datetime | None:
        days = self._places.tenants.current().retention.of(tenant_id)
        return None if days is None else datetime.combine(self._now().date() - timedelta(days=days - 1), time(), UTC)


def _start(moment: datetime) -> datetime:
    """Return the start of its hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
