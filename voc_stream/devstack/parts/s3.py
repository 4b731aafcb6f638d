"""S3, by moto's server."""

from __future__ import annotations

import sys

import aiohttp

from voc_stream.devstack.child import Command
from voc_stream.devstack.parts.base import HOST, Part


class S3(Part):
    """The object store; it takes any credentials, as moto does."""

    name = "s3"
    port_names = ("s3",)

    async def prepare(self) -> Command:
        """One process; its objects are written to the folder when it ends."""
        store = self.site.folder.root / "s3"
        store.mkdir(mode=0o700, exist_ok=True)
        argv = [sys.executable, "-m", "voc_stream.devstack.s3", "--host", HOST, "--port", str(self.port), "--path", str(store)]
        return Command(argv, grace_seconds=30.0)

    async def check(self, pid: int) -> None:
        """Ready when it lists its buckets."""
        del pid
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))  # a client of S3 takes two seconds to import
        async with session, session.get(f"http://{HOST}:{self.port}/") as answer:
            answer.raise_for_status()
            if b"ListAllMyBucketsResult" not in await answer.read():
                msg = "not an object store"
                raise ConnectionError(msg)

    def endpoints(self) -> dict[str, str]:
        """S3_ENDPOINT_URL and credentials."""
        return {
            "S3_ENDPOINT_URL": f"http://{HOST}:{self.port}",
            "S3_ACCESS_KEY_ID": self.site.secrets["s3_key_id"],
            "S3_SECRET_ACCESS_KEY": self.site.secrets["s3_secret"],
        }
