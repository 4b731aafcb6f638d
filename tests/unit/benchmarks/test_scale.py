"""What the scaling benchmark calls spread, how it limits a worker, and when nobody stored a row."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from benchmarks.groups import Members, count
from benchmarks.quota import put, quota
from benchmarks.watching_rows import RowsLog, Sample


@pytest.mark.parametrize(
    ("stable", "shares", "spread"),
    [
        (True, [12, 12, 12], True),
        (False, [12, 12, 12], False),
        (True, [18, 18], False),
        (True, [18, 18, 0], False),
        (True, [13, 12, 11], False),
        (True, [12, 12, 11], False),
    ],
)
def test_partitions_are_spread_when_the_group_is_stable_and_nobody_has_more_than_a_fair_share(stable: bool, shares: list[int], spread: bool) -> None:  # noqa: FBT001
    assert Members(stable, shares).spread(3, 36) is spread


def test_a_share_that_does_not_come_out_even_is_rounded_up() -> None:
    assert Members(stable=True, shares=[5, 5, 2]).spread(3, 12) is False
    assert Members(stable=True, shares=[4, 4, 3]).spread(3, 11) is True


def test_only_partitions_of_the_topics_that_matter_are_counted() -> None:
    assignment = ConsumerProtocolMemberAssignment(0, [("voc.calls", [0, 3, 5]), ("calls.raw", [1]), ("voc.metrics", [2])], b"").encode()
    assert count(assignment, ("voc.calls", "voc.metrics")) == 4
    assert count(b"", ("voc.calls",)) == 0


@pytest.mark.parametrize(
    ("versions", "folder", "file", "text"),
    [(1, "cpu/x", "cpu.cfs_quota_us", "40000"), (2, "x", "cpu.max", "40000 100000")],
)
def test_a_quota_is_so_many_microseconds_of_each_tenth_of_a_second(versions: int, folder: str, file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / ("cpu" if versions == 1 else "cgroup.controllers")).mkdir()
    with quota("x", 0.4, tmp_path) as group:
        put(group, os.getpid())
        assert group == tmp_path / folder
        assert (group / file).read_text() == text
        assert (group / "cgroup.procs").read_text() == str(os.getpid())


def test_the_longest_stretch_without_a_row_is_looked_for_between_two_moments() -> None:
    log = RowsLog(Mock())
    log.samples = [Sample(at, rows) for at, rows in ((0.0, 0), (9.0, 5), (10.0, 5), (11.0, 6), (12.5, 6), (13.0, 7), (40.0, 8))]
    assert log.longest_quiet(9.0, 13.0) == 1.5
    assert log.longest_quiet(50.0, 60.0) == 0.0
