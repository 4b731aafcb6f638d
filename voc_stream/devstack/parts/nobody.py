"""PostgreSQL refuses to run as root: what the account ``nobody`` can reach, and where to put what it cannot."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from voc_stream.devstack.errors import StackError

USER = "nobody"
GROUP = "nogroup"


async def can_use(folder: Path) -> bool:
    """Whether ``nobody`` can pass through to the folder."""
    return await _test("-x", folder)


async def can_execute(program: Path) -> bool:
    """Whether ``nobody`` can reach and execute the program."""
    return await _test("-x", program)


async def public_place(tag: str) -> Path:
    """A folder of ours that ``nobody`` can pass through, the same one for the same tag.

    Raises:
        StackError: there is no such place.
    """
    for parent in dict.fromkeys((tempfile.gettempdir(), "/var/tmp", "/tmp")):  # noqa: S108 - the name below is ours and its owner is checked
        place = Path(parent) / f"voc-stream-{tag}"
        try:
            place.mkdir(mode=0o711, exist_ok=True)
        except OSError:
            continue
        if place.is_symlink() or place.lstat().st_uid != os.geteuid():
            continue
        place.chmod(0o711)
        if await can_use(place):
            return place
    msg = f"postgres: no folder that user {USER} can reach; start the stack as a normal user, or in a folder whose parents are open to others"
    raise StackError(msg)


async def _test(flag: str, path: Path) -> bool:
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/test", flag, str(path), user=USER, group=GROUP, extra_groups=[], cwd="/", stderr=asyncio.subprocess.DEVNULL
    )
    return await asyncio.wait_for(process.wait(), 10) == 0
