"""What the recorder simulator tells of its calls, and takes orders for, beside the recorder's own API."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from typing import Any


class Simulator:
    """The recorder simulator's control API."""

    def __init__(self, endpoints: dict[str, str]) -> None:
        self._base = endpoints["AVAYA_URL"].removesuffix("/searchapi")
        account = f"{endpoints['AVAYA_USERNAME']}:{endpoints['AVAYA_PASSWORD']}"
        self._authorization = "Basic " + b64encode(account.encode()).decode()

    def ask(self, path: str, body: dict[str, Any] | None = None, *, method: str | None = None) -> Any:
        """GET, or POST where there is a body, or another method; None for an answer without a body."""
        request = urllib.request.Request(  # noqa: S310 - the stack's own address
            f"{self._base}/control/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read()
            return json.loads(text) if text else None

    def calls(self) -> dict[str, Any]:
        """Return the truth about every call."""
        truth: dict[str, Any] = self.ask("calls")
        return truth
