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
