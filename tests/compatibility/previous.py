"""The code of the release before this one, as git has it: the commit, or tag, that the file `baseline` names (docs/migrations.md)."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "tests" / "compatibility" / "baseline"
# What a worker is made of.
PARTS = ("voc_stream", "agents", "tables")


def baseline() -> str:
    """Return what the release before this one is called in git."""
    return BASELINE.read_text(encoding="utf-8").strip()


def why_not(name: str, root: Path = ROOT) -> str | None:
    """Return why that code cannot be had here; None if it can."""
    try:
        found = _git("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}", root=root)
    except OSError:
        return "git is not installed"
    return None if found.returncode == 0 else f"git has no {name} here: the history is shallow, or the tree was exported"


def unpack(name: str, folder: Path) -> Path:
    """Write that code into the folder; return it."""
    archive = _git("archive", "--format=tar", name, *PARTS)
    archive.check_returncode()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _git(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", root, *arguments], capture_output=True, timeout=60, check=False)
