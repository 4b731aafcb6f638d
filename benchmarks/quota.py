"""So much of a core and no more, as Kubernetes limits a pod: a CPU quota of the kernel's control groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PERIOD_MICROSECONDS = 100_000
_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def quota(name: str, cores: float, root: Path = _ROOT) -> Iterator[Path]:
    """Lend a control group whose processes together get so many cores; it is removed when they have ended.

    Args:
        name: of the group; nobody else's.
        cores: 0.4 is 40 ms of each 100 ms.
        root: where control groups are mounted.

    Raises:
        OSError: this user may not make one, or there are none.
    """
    microseconds = int(cores * PERIOD_MICROSECONDS)
    if (root / "cgroup.controllers").exists():
        group, file, value = root / name, "cpu.max", f"{microseconds} {PERIOD_MICROSECONDS}"
    else:
        group, file, value = root / "cpu" / name, "cpu.cfs_quota_us", str(microseconds)
    group.mkdir()
    try:
        (group / file).write_text(value)
        yield group
    finally:
        # A process that still runs keeps it.
        with suppress(OSError):
            group.rmdir()


def put(group: Path, pid: int) -> None:
    """Put a process, with all its threads, into a group; the children that it has later are in it, too."""
    (group / "cgroup.procs").write_text(str(pid))
