"""The recorder simulator."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp

from voc_stream.devstack.child import Command
from voc_stream.devstack.parts.base import HOST, Part

_USER = "recorder"
_TENANTS_FILE = Path(__file__).resolve().parent.parent / "tenants.toml"
_DEFAULTS = {"--timezone": "Europe/Berlin", "--layout": "segment", "--result-cap": "1000"}


class Recorder(Part):
    """The simulated call recorder; the stack's recorder arguments go to its command line."""

    name = "recorder"
    port_names = ("recorder",)

    async def prepare(self) -> Command:
        """What it makes is kept in the folder, so that the next start need not make it again."""
        data = self.site.folder.root / "recorder"
        argv = [sys.executable, "-m", "voc_stream.devstack.recorder", "--host", HOST, "--port", str(self.port), "--data", str(data)]
        for name, value in _DEFAULTS.items():
            argv += [name, value]
        account = {"AVAYA_USERNAME": _USER, "AVAYA_PASSWORD": self.site.secrets["recorder"]}
        return Command([*argv, *self.site.recorder_args], env={**self.site.env, **account})

    async def check(self, pid: int) -> None:
        """Ready when it answers a search."""
        del pid
        auth = aiohttp.BasicAuth(_USER, self.site.secrets["recorder"])
        session = aiohttp.ClientSession(auth=auth, timeout=aiohttp.ClientTimeout(total=10))
        async with session, session.get(self.endpoints()["AVAYA_URL"], params=self._search()) as answer:
            answer.raise_for_status()

    def endpoints(self) -> dict[str, str]:
        """AVAYA_* and whose its services are."""
        return {
            "AVAYA_URL": f"http://{HOST}:{self.port}/searchapi",
            "AVAYA_USERNAME": _USER,
            "AVAYA_PASSWORD": self.site.secrets["recorder"],
            "AVAYA_TIMEZONE": self._option("--timezone"),
            "AVAYA_LAYOUT": self._option("--layout"),
            "AVAYA_RESULT_CAP": self._option("--result-cap"),
            "TENANTS_FILE": str(_TENANTS_FILE),
        }

    def _search(self) -> dict[str, str]:
        end = datetime.now(UTC).astimezone(ZoneInfo(self._option("--timezone")))
        edges = (end - timedelta(seconds=1), end)
        query = {"command": "search", "layout": self._option("--layout"), "operator_startedat": "9"}
        for first, edge in zip((1, 3), edges, strict=True):
            query |= {f"param{first}_startedat": f"{edge:%d/%m/%y}", f"param{first + 1}_startedat": f"{edge:%H:%M:%S}"}
        return query

    def _option(self, name: str) -> str:
        return option(self.site.recorder_args, name) or _DEFAULTS[name]


def option(arguments: Sequence[str], name: str) -> str | None:
    """The last value of an option, written as two words or as ``name=value``."""
    found = None
    for word, following in itertools.zip_longest(arguments, arguments[1:]):
        if word == name:
            found = following
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found
