"""An identity provider as OpenID Connect has it, small: `python -m tests.identity_provider` serves one and says where, on its first line.

It signs with real keys, logs everybody in at once as who `POST /control` says, and forgets its keys or makes new ones when told to.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlencode

from aiohttp import web
from joserfc.jwk import RSAKey

from tests.oidc import jwks, signed

SECRET = "the client's own"


class IdentityProvider:
    """Keeps keys, codes and what the next login says.

    Attributes:
        issuer: set once it is known where it is served.
        keys: what it publishes; it signs with the last one.
        secret: of the client.
        person: claims of who logs in next.
        asked: how often its keys were asked for.
        down: it answers 503 to all.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.secret = SECRET
        self.person: dict[str, Any] = {"sub": "u-17", "tenant_id": "acme", "roles": ["voc.read"]}
        self.asked = 0
        self.down = False
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> web.Application:
        """Return what serves it."""
        app = web.Application(middlewares=[self._unless_down])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/control", self._control)
        return app

    def rotate(self, *, keep: bool) -> None:
        """Sign with a new key; `keep`: the one before still verifies."""
        new = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})
        self.keys = [*self.keys, new] if keep else [new]

    def issue(self, audience: str, **more: Any) -> str:
        """Return a token for the person, signed with the newest key."""
        now = int(time.time())
        return signed({"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 300} | self.person | more, self.keys[-1])

    @web.middleware
    async def _unless_down(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.down and request.path != "/control":
            raise web.HTTPServiceUnavailable
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discovery(self, _request: web.Request) -> web.Response:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return web.json_response({"issuer": self.issuer} | {name: f"{self.issuer}/{path}" for name, path in places.items()})

    async def _jwks(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response(jwks(*self.keys))

    async def _authorize(self, request: web.Request) -> web.Response:
        """Log everybody in, and send the browser back with a code."""
        asked = dict(request.query)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        raise web.HTTPSeeOther(f"{asked['redirect_uri']}?{back}")

    async def _token(self, request: web.Request) -> web.Response:
        """Give the token of a code, once, to the client that can show the verifier."""
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or not self._is_client(request, asked["client_id"]) or not _fits(asked, form):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"token_type": "Bearer", "access_token": "opaque", "id_token": self.issue(asked["client_id"], nonce=asked["nonce"])})

    def _is_client(self, request: web.Request, client_id: str) -> bool:
        expected = base64.b64encode(f"{client_id}:{self.secret.replace(' ', '%20').replace(chr(39), '%27')}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {expected}"

    async def _control(self, request: web.Request) -> web.Response:
        """Do what a test says: person, secret, down, rotate (keep | drop); answers with a token for `audience`."""
        order = await request.json()
        for name in ("person", "secret", "down"):
            if name in order:
                setattr(self, name, order[name])
        if "rotate" in order:
            self.rotate(keep=order["rotate"] == "keep")
        return web.json_response({"token": self.issue(order.get("audience", ""), **order.get("claims", {})), "asked": self.asked})


def _fits(asked: dict[str, str], form: dict[str, str]) -> bool:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
    same = asked["redirect_uri"] == form.get("redirect_uri") and asked.get("code_challenge_method") == "S256"
    return same and asked.get("code_challenge") == challenge


async def _main() -> None:
    provider = IdentityProvider()
    runner = web.AppRunner(provider.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(provider.issuer, flush=True)  # noqa: T201 - the first line says where
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
