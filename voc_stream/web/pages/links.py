"""Addresses within the pages: each keeps the tenant that was chosen, and none leads elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

Link: TypeAlias = Callable[..., str]

OVERVIEW = "/"


def linker(tenant_id: str | None) -> Link:
    """Return `link(path, **query)`, which leaves out what is None or empty.

    Args:
        tenant_id: goes along with every link; None where the caller has one tenant only.
    """

    def link(path: str, /, **query: Any) -> str:
        return address(path, query if tenant_id is None else {"tenant_id": tenant_id, **query})

    return link


def changer(path: str, query: Mapping[str, str]) -> Link:
    """Return `with_(**changes)`: this address with some of its query changed; None takes a part off."""

    def with_(**changes: Any) -> str:
        return address(path, {**query, **changes})

    return with_


def address(path: str, query: Mapping[str, Any]) -> str:
    """Return a path with what of the query has a value."""
    kept = {name: value for name, value in query.items() if value is not None and value != ""}
    return f"{path}?{urlencode(kept)}" if kept else path


def local(address_: str) -> str:
    """Return an address if it is one of ours, else the overview's: nobody is led elsewhere by a link to us."""
    try:
        parts = urlsplit(address_)
    except ValueError:
        return OVERVIEW
    ours = not parts.scheme and not parts.netloc and address_.startswith("/") and not address_.startswith("//")
    return address_ if ours and "\\" not in address_ and address_.isprintable() else OVERVIEW
