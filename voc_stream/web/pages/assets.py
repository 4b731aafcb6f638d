"""`/static`: style, scripts and icons, from this host alone. An address with the file's digest in it may be kept for ever."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[1] / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """The folder; what is asked for without a digest is asked for again each time, and answered by 304 if it is still the same."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: MutableMapping[str, Any], status_code: int = 200
    ) -> Response:
        """Return a file, and how long it may be kept."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        kept = scope["query_string"] == f"v={digest(Path(full_path).name)}".encode()
        response.headers["Cache-Control"] = _FOR_EVER if kept else "no-cache"
        return response


@cache
def digest(name: str) -> str:
    """Return what tells one version of a file from another."""
    return sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a file's present version."""
    return f"/static/{name}?v={digest(name)}"
