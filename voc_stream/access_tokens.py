"""`faust -A voc_stream token create | list | revoke`: the tokens by which programs and people ask (docs/access.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from voc_stream.clients.postgres import Database
from voc_stream.clients.token_store import StoredToken, TokenStore
from voc_stream.dlq import actor, printable
from voc_stream.security.grants import SCOPES
from voc_stream.security.tokens import KEY, new_token
from voc_stream.settings import Settings

Echo = Callable[[str], None]

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LONGEST_LABEL = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the operator wants.

    Attributes:
        key: which token.
        tenant: whose.
        all_tenants: everybody's instead.
        scopes: what it may do.
        days: for how long.
        label: what it is for.
    """

    key: str | None
    tenant: str | None
    all_tenants: bool
    scopes: tuple[str, ...]
    days: float
    label: str

    def problem(self) -> str | None:
        """Return what is wrong with it, to make a token."""
        if (self.tenant is None) is not self.all_tenants:
            return "say whose: --tenant NAME, or --all-tenants"
        if self.tenant is not None and not _TENANT.fullmatch(self.tenant):
            return "--tenant: letters, digits and ._- only, beginning with a letter or digit, 64 at most"
        if not self.scopes:
            return f"say what it may do: --scope {' | '.join(SCOPES)}; may be given again"
        if len(self.label) > _LONGEST_LABEL or not self.label.isprintable():
            return f"--label: at most {_LONGEST_LABEL} printable characters"
        return None


async def create(settings: Settings, echo: Echo, order: Order) -> int:
    """Make a token. It is shown once, alone on stdout; what it is is said on stderr. Returns 0, or 2 if the order is not clear."""
    if problem := order.problem():
        click.echo(problem, err=True)
        return 2
    token = new_token()
    until = datetime.now(UTC) + timedelta(days=order.days)
    async with _opened(settings) as store:
        await store.add(token, tenant_id=order.tenant, scopes=order.scopes, expires_at=until, label=order.label, actor=actor())
    whose = order.tenant or "all tenants"
    click.echo(f"token {token.key} for {whose}, {'+'.join(order.scopes)}, until {_time(until)}; it is shown this once:", err=True)
    echo(token.text)
    return 0


async def show(settings: Settings, echo: Echo, order: Order) -> int:
    """Tell of the tokens, the newest first, a line each; returns 0."""
    async with _opened(settings) as store:
        tokens = await store.list(order.tenant)
    for token in tokens:
        echo(printable(_line(token, datetime.now(UTC))))
    echo(f"token list: tokens={len(tokens)}")
    return 0


async def revoke(settings: Settings, echo: Echo, order: Order) -> int:
    """End a token, and the sessions that it opened; returns 0, 1 if there is none such that is not revoked yet, 2 without a key."""
    if order.key is None or not KEY.fullmatch(order.key):
        click.echo("say which: the key, that is what stands between voc_ and the dot (`token list`)", err=True)
        return 2
    async with _opened(settings) as store:
        found = await store.revoke(order.key, actor(), tenant_id=order.tenant)
    echo(f"token {order.key}: revoked; every process refuses it within seconds" if found else f"token {order.key}: none such that is not revoked yet")
    return 0 if found else 1


ACTIONS: dict[str, Callable[[Settings, Echo, Order], Awaitable[int]]] = {"create": create, "list": show, "revoke": revoke}

OPTIONS = (
    click.argument("action", type=click.Choice(list(ACTIONS))),
    click.argument("key", required=False),
    click.option("--tenant", help="Whose data it is for; with list and revoke: only this tenant's."),
    click.option("--all-tenants", is_flag=True, help="For the data of all tenants."),
    click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; may be given again."),
    click.option("--days", type=click.FloatRange(min=0, min_open=True, max=3650), default=90.0, show_default=True, help="For so long."),
    click.option("--label", default="", help="What it is for; no personal data."),
)


async def run(settings: Settings, echo: Echo, *, action: str, **asked: Any) -> int:
    """Do what the operator says.

    Args:
        settings: POSTGRES_DSN.
        echo: takes each line of the report.
        action: one of `ACTIONS`.
        asked: the fields of `Order`.

    Returns:
        The action's.

    Raises:
        OutsideError: PostgreSQL failed.
    """
    return await ACTIONS[action](settings, echo, Order(**asked))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[TokenStore]:
    db = Database(settings)
    try:
        yield TokenStore(db)
    finally:
        await db.close()


def _line(token: StoredToken, now: datetime) -> str:
    state = "revoked" if token.revoked_at else "expired" if token.expires_at <= now else "valid"
    used = _time(token.last_used_at) if token.last_used_at else "never"
    whose = token.tenant_id or "(all tenants)"
    return f"{token.key} {state} {whose} {'+'.join(token.scopes)} until={_time(token.expires_at)} used={used} by={token.created_by} {token.label}"


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
