"""How much freed memory the process keeps: by glibc's own bounds work in large pieces gives pages back and touches them anew.

A new page cost 5 µs where we measured: a pass of the redaction's prefilter over 220 kB 0.02 µs an event on old pages and 0.3 µs on new ones.

All threads take from one heap. Otherwise what one thread fetches, another works on and RocksDB's own keep lies in heaps of up to 64 MiB that fill one
after the other and are not given back: 190 MiB of them at three million events. One thread at a time runs Python anyway: nobody waits for the heap.
"""

from __future__ import annotations

import ctypes
import sys

# What is freed at the end of the heap is kept up to this.
KEPT_BYTES = 32 << 20
# Pieces from this size on are mapped by themselves and given back at once: the largest tables of ids.
MAPPED_BYTES = 8 << 20
HEAPS = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_freed_memory() -> bool:
    """Set the bounds, before there are threads; returns whether the C library has them."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    bounds = {_M_TRIM_THRESHOLD: KEPT_BYTES, _M_MMAP_THRESHOLD: MAPPED_BYTES, _M_ARENA_MAX: HEAPS}
    done = [mallopt(bound, value) for bound, value in bounds.items()]
    return all(done)
