"""Whether the workers' state has room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from voc_stream.errors import OutageError
from voc_stream.runtime import metrics
from voc_stream.runtime.state_room import StateRoom


async def test_with_room_the_probe_says_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    await StateRoom(tmp_path, 1).probe()

    assert os.listdir(tmp_path) == []  # noqa: PTH208 - what is async may not ask a Path
    assert (metrics.REGISTRY.get_sample_value("voc_state_free_bytes") or 0) > 0


async def test_fewer_free_bytes_than_the_setting_says_are_an_outage_with_both_figures(tmp_path: Path) -> None:
    with pytest.raises(OutageError, match=r"state: \d+ MiB are free below STATE_DIR, and \d+ must be \(STATE_MIN_FREE_BYTES\)"):
        await StateRoom(tmp_path, 1 << 60).probe()


async def test_a_folder_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(OutageError, match="state: STATE_DIR cannot be written: No such file or directory"):
        await StateRoom(tmp_path / "none", 1).probe()
