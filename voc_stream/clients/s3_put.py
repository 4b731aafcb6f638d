"""One PUT of an object that is in memory, at half the cost of botocore's: its signature, and aiohttp's connection, with nothing around them.

botocore composes and sends a request in some forty steps, each open to plugins. Here is one way, for one request; what does not go well on it is
done again by botocore's own client, which knows redirects, clocks that are off, retries and the words of errors.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import structlog
from aiobotocore.session import AioSession
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, NoCredentialsError
from yarl import URL

from voc_stream.clients.tls import ResumingContext
from voc_stream.settings import Settings

log = structlog.get_logger(__name__)

# What aiohttp writes at once; a longer body is written piece by piece, so that the event loop is not held.
_AT_ONCE = 1 << 20
# S3 closes a connection that is idle for some 20 s.
_KEEP_ALIVE_SECONDS = 12.0


class DirectPut:
    """Puts objects into one bucket. `close` it in the end.

    Args:
        session: whose credentials sign.
        client: botocore's, that is asked where the bucket is.
        settings: BUCKET, S3_REGION, S3_TIMEOUT_SECONDS, DOWNLOAD_IN_FLIGHT, SCORING_IN_FLIGHT.
    """

    def __init__(self, session: AioSession, client: Any, settings: Settings) -> None:
        self._session = session
        self._client = client
        self._bucket = settings.bucket
        self._base: str | None = None
        self._region = settings.s3_region
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=2 * settings.download_in_flight + settings.scoring_in_flight, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=ResumingContext()
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(settings.s3_timeout_seconds, 10.0), sock_read=settings.s3_timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )

    async def put(self, key: str, body: io.BytesIO, sha256: str, headers: Mapping[str, str], seconds: float) -> bool:
        """Put an object; False when it is not sure to be there, and another way is to be tried.

        Args:
            key: the object's.
            body: all of it.
            sha256: of the body, in hex: signed, so that S3 stores these bytes or none.
            headers: what else S3 is to know.
            seconds: it may take.
        """
        size = body.getbuffer().nbytes
        try:
            url = f"{await self._bucket_url()}/{quote(key, safe='/~')}"
            signed = await self._signed(url, {**headers, "Content-Length": str(size)}, sha256)
            data = body.getbuffer() if size <= _AT_ONCE else body
            async with (
                asyncio.timeout(seconds),
                self._http.put(URL(url, encoded=True), data=data, headers=signed, allow_redirects=False) as answer,
            ):
                await answer.read()
        except (BotoCoreError, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("s3_put_goes_another_way", reason=type(error).__name__)
            return False
        if answer.status != 200:
            log.info("s3_put_goes_another_way", status=answer.status)
        return answer.status == 200

    async def close(self) -> None:
        """Close the pool."""
        await self._http.close()
        # TLS connections take a turn of the loop to say farewell.
        await asyncio.sleep(0)

    async def _bucket_url(self) -> str:
        if self._base is None:
            # Only botocore knows how the bucket is addressed; without credentials it would not say.
            url = urlsplit(await self._client.generate_presigned_url("head_bucket", Params={"Bucket": self._bucket}))
            self._base = f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"
        return self._base

    async def _signed(self, url: str, headers: Mapping[str, str], sha256: str) -> dict[str, str]:
        credentials = await self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        request = AWSRequest(method="PUT", url=url, headers=headers)
        _Signature(await credentials.get_frozen_credentials(), self._region, sha256).add_auth(request)
        return dict(request.headers.items())


class _Signature(S3SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    """botocore's signature over a hash that is known already."""

    def __init__(self, credentials: Any, region: str, sha256: str) -> None:
        super().__init__(credentials, "s3", region)
        self._sha256 = sha256

    def payload(self, _request: AWSRequest) -> str:
        return self._sha256
