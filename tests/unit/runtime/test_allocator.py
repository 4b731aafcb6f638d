"""How much freed memory is kept."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Frees and makes 400 kB again and again: the pages of a piece that was kept need no fault.
_FAULTS = """
import resource
{}
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    bytearray(400_000)
before = faults()
for _ in range(50):
    bytearray(400_000)
print(faults() - before)
"""


def _faults(first: str = "") -> int:
    return int(subprocess.run([sys.executable, "-c", _FAULTS.format(first)], check=True, capture_output=True, timeout=60).stdout)  # noqa: S603 - ourselves


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's bounds")
def test_a_freed_piece_of_half_a_megabyte_is_used_again_with_its_pages() -> None:
    kept = _faults("from voc_stream.runtime.allocator import keep_freed_memory; assert keep_freed_memory()")
    assert kept < 50


# Two threads at work at once, each with much of its own: a heap for each would be mapped apart from the first.
_HEAPS = """
import re
import threading
from pathlib import Path
{}
both = threading.Barrier(2)
def work():
    both.wait()
    held.append([bytearray(100_000) for _ in range(20)])
    both.wait()
held = []
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
maps = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) \\S+ \\S+ \\S+ 0 *$", Path("/proc/self/maps").read_text(), re.MULTILINE)
# What is set aside for another heap begins at a multiple of 64 MiB.
print(sum(not int(start, 16) % (64 << 20) for start, _ in maps))
"""


def _heaps(first: str = "") -> int:
    return int(subprocess.run([sys.executable, "-c", _HEAPS.format(first)], check=True, capture_output=True, timeout=60).stdout)  # noqa: S603 - ourselves


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's bounds")
def test_threads_share_one_heap() -> None:
    assert _heaps()
    assert not _heaps("from voc_stream.runtime.allocator import keep_freed_memory; assert keep_freed_memory()")
