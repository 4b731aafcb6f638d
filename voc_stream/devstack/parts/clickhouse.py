"""ClickHouse's engine (chdb) over HTTP."""

from __future__ import annotations

import sys

import aiohttp

from voc_stream.devstack.child import Command
from voc_stream.devstack.parts.base import HOST, Part

_USER = "default"


class ClickHouse(Part):
    """The analytical store, its data in the stack's folder."""

    name = "clickhouse"
    port_names = ("clickhouse",)

    async def prepare(self) -> Command:
        """One process holds the folder."""
        data = self.site.folder.root / "clickhouse"
        argv = [sys.executable, "-m", "voc_stream.devstack.clickhouse", "--host", HOST, "--port", str(self.port), "--path", str(data)]
        env = {"CLICKHOUSE_USER": _USER, "CLICKHOUSE_PASSWORD": self.site.secrets["clickhouse"], "TZ": "UTC"}
        return Command(argv, env=env)

    async def check(self, pid: int) -> None:
        """Ready when it answers a query of our account."""
        del pid
        auth = aiohttp.BasicAuth(_USER, self.site.secrets["clickhouse"])
        session = aiohttp.ClientSession(auth=auth, timeout=aiohttp.ClientTimeout(total=15))
        async with session, session.post(f"http://{HOST}:{self.port}/", data=b"SELECT 1") as answer:
            answer.raise_for_status()

    def endpoints(self) -> dict[str, str]:
        """CLICKHOUSE_*."""
        return {
            "CLICKHOUSE_HOST": HOST,
            "CLICKHOUSE_PORT": str(self.port),
            "CLICKHOUSE_USER": _USER,
            "CLICKHOUSE_PASSWORD": self.site.secrets["clickhouse"],
            "CLICKHOUSE_DB": "default",
        }
