"""What a load takes, by hand-made figures whose results can be reckoned in the head."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voc_stream.capacity.measured import MEASURED, Figure, named
from voc_stream.capacity.model import GIB, LEAST_WORKERS, Load, capacity_of
from voc_stream.capacity.prices import Prices, cost_a_month, units_a_month


def figure(value: float) -> Figure:
    return Figure(value, "", "")


ROUND = replace(
    MEASURED,
    worker_event=figure(50),
    worker_scaling=figure(1),
    worker_call=figure(10),
    scorer_speed=figure(20),
    kafka_event=figure(2),
    kafka_event_bytes=figure(200),
    clickhouse_insert=figure(100),
    clickhouse_row=figure(10),
    clickhouse_event_bytes=figure(100),
)


def load(calls: float = 0, events: float = 0, **other: float) -> Load:
    return Load(calls_per_hour=calls, events_per_second=events, **({"busy": 1.0} | other))  # type: ignore[arg-type]


def test_nothing_takes_two_workers_that_wait() -> None:
    found = capacity_of(load(), ROUND)
    assert (found.workers, found.scorers, found.event_partitions, found.recording_partitions) == (LEAST_WORKERS, 0, 12, 24)
    assert found.kafka_gib == found.clickhouse_gib == found.objects_gib == found.puts_a_month == 0


def test_events_take_workers_by_their_cpu_and_partitions_for_twice_as_many() -> None:
    found = capacity_of(load(events=1_000_000), ROUND)
    assert found.workers == 50
    assert found.event_partitions == 192
    assert found.worker_cores == pytest.approx(50)


def test_a_core_that_may_be_half_busy_is_two() -> None:
    assert capacity_of(load(events=1_000_000, busy=0.5), ROUND).workers == 100


def test_scoring_takes_a_core_for_so_many_seconds_of_recording() -> None:
    found = capacity_of(load(calls=36_000, call_seconds=100.0), ROUND)
    assert found.scorers == 50, "ten calls a second, a hundred seconds each, twenty times real time"
    assert found.scores_in_flight * found.workers >= found.scorers


def test_a_slow_recorder_takes_workers_for_their_places() -> None:
    assert capacity_of(load(calls=36_000, replay_seconds=32.0), ROUND).workers == 10


def test_windows_close_by_the_clock_and_no_partition_makes_more_than_one_in_two_seconds() -> None:
    few = capacity_of(load(events=4), ROUND)
    assert (few.batch_size, few.inserts_per_second) == (500, 4)
    many = capacity_of(load(events=1_000_000), ROUND)
    assert many.inserts_per_second == 3 * 192 / 2
    assert many.batch_size > 1_000_000 * 2 / (3 * 192)


def test_disks_hold_the_mean_for_as_long_as_it_is_kept() -> None:
    found = capacity_of(load(events=1_000, mean_of_peak=0.5, event_days=10.0), ROUND)
    assert found.clickhouse_gib == pytest.approx(2 * 500 * 86_400 * 10 * 100 / GIB)
    assert found.kafka_gib == pytest.approx(3 * 500 * 86_400 * 7 * 200 / GIB)


def test_kafka_writes_for_every_replica_and_reads_once() -> None:
    assert capacity_of(load(events=1_000_000), ROUND).kafka_cores == pytest.approx((3 + 1) * 2)


def test_recordings_stay_90_days_and_then_in_the_archive_until_a_year_is_over() -> None:
    found = capacity_of(load(calls=3_600, call_seconds=100.0, recording_bytes_per_second=16_000.0), ROUND)
    a_day = 86_400 * 100 * 16_000 / GIB
    assert found.objects_gib == pytest.approx(90 * a_day)
    assert found.archive_gib == pytest.approx(275 * a_day)
    assert found.puts_a_month == pytest.approx(86_400 * 30.4 * 2)


def test_more_of_anything_never_takes_less() -> None:
    before = capacity_of(load(calls=100, events=10, busy=0.7), MEASURED)
    for factor in (10, 100, 1_000, 10_000):
        now = capacity_of(load(calls=100 * factor, events=10 * factor, busy=0.7), MEASURED)
        assert now.workers >= before.workers
        assert now.event_partitions >= before.event_partitions
        assert now.cores > before.cores
        assert now.disk_gib > before.disk_gib
        before = now


def test_a_cost_is_of_what_has_a_price_and_names_the_rest() -> None:
    capacity = capacity_of(load(calls=1_000, events=100), MEASURED)
    assert cost_a_month(capacity, Prices()) == (None, [*Prices.__dataclass_fields__])
    cost, without = cost_a_month(capacity, Prices(core_hour=0.5, thousand_puts=0.0))
    assert cost == pytest.approx(0.5 * (units_a_month(capacity).core_hour or 0))
    assert "core_hour" not in without
    assert "disk_gib_month" in without


def test_each_measured_figure_says_what_measured_it() -> None:
    for name, found in named(MEASURED):
        assert found.value > 0, name
        assert found.unit, name
        assert found.source.split(",")[0] in {"bench", "bench-calls", "bench-sizes", "scale"}, name
