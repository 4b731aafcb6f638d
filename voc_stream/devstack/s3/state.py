"""moto keeps buckets and objects in its process: written to a file when the server ends, read again when it starts."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

_FILE = "buckets.pickle"


def save(folder: Path) -> None:
    """Write every bucket, object, tag and unfinished upload, replacing the file in one step."""
    draft = folder / f".{_FILE}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        backend = _backend()
        pickle.dump({"buckets": dict(backend.buckets), "tagger": backend.tagger}, file, protocol=pickle.HIGHEST_PROTOCOL)
    draft.replace(folder / _FILE)


def load(folder: Path) -> None:
    """Bring back what :func:`save` wrote; nothing if there is no file. The folder must be ours alone: a pickle can run code."""
    path = folder / _FILE
    if path.exists():
        with path.open("rb") as file:
            state = pickle.load(file)  # noqa: S301 - written by save(), mode 0600, in the stack's own folder
        backend = _backend()
        backend.buckets.update(state["buckets"])
        backend.tagger = state["tagger"]


def _backend() -> Any:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
