"""The scoring service."""

from __future__ import annotations

import sys

import aiohttp

from voc_stream.devstack.child import Command
from voc_stream.devstack.parts.base import HOST, Part


class Scoring(Part):
    """The reference scoring service, with the stack's token."""

    name = "scoring"
    port_names = ("scoring",)
    ready_seconds = 120.0

    async def prepare(self) -> Command:
        """It is configured by its settings; the stack's environment may add some."""
        own = {"SCORER_HOST": HOST, "SCORER_PORT": str(self.port), "SCORER_TOKEN": self.site.secrets["scoring"]}
        folder = {"STACK_DIR": str(self.site.folder.root)}
        return Command([sys.executable, "-m", "voc_stream.scoring"], env={**folder, **self.site.env, **own})

    async def check(self, pid: int) -> None:
        """Ready when its models are loaded."""
        del pid
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        async with session, session.get(f"http://{HOST}:{self.port}/readyz") as answer:
            answer.raise_for_status()

    def endpoints(self) -> dict[str, str]:
        """SCORING_URL and token."""
        return {"SCORING_URL": f"http://{HOST}:{self.port}", "SCORING_TOKEN": self.site.secrets["scoring"]}
