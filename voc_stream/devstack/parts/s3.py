"""S3, by moto's server."""

from __future__ import annotations

import sys

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
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        endpoints = self.endpoints()
        client = get_session().create_client(
            "s3",
            endpoint_url=endpoints["S3_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=endpoints["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=endpoints["S3_SECRET_ACCESS_KEY"],
            config=AioConfig(connect_timeout=2, read_timeout=10, retries={"max_attempts": 0}),
        )
        async with client as s3:
            await s3.list_buckets()

    def endpoints(self) -> dict[str, str]:
        """S3_ENDPOINT_URL and credentials."""
        return {
            "S3_ENDPOINT_URL": f"http://{HOST}:{self.port}",
            "S3_ACCESS_KEY_ID": self.site.secrets["s3_key_id"],
            "S3_SECRET_ACCESS_KEY": self.site.secrets["s3_secret"],
        }
