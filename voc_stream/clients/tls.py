"""TLS for the clients: certificates are verified, and a second connection resumes the session of the first."""

from __future__ import annotations

import ssl
from typing import Self


class ResumingContext(ssl.SSLContext):
    """A client's TLS context that offers its last session of the same host again, which saves a round trip and the key exchange.

    asyncio has no way to pass a session; it makes every connection by `wrap_bio`.
    """

    _last: dict[str, ssl.SSLObject]

    def __new__(cls) -> Self:
        """Make a context with the defaults of `ssl.create_default_context`."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        context._last = {}
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the signature of the class above
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Make a connection's TLS object, with the last session to the host unless one is given."""
        host = str(server_hostname)
        if session is None and host in self._last:
            # TLS 1.3 hands out tickets after the handshake, so the session is asked for as late as this.
            session = self._last[host].session
        made = super().wrap_bio(incoming, outgoing, server_side=server_side, server_hostname=server_hostname, session=session)
        self._last[host] = made
        return made
