"""Whose calls a page shows: a caller of one tenant sees that one; a caller of all chooses, and the choice is remembered."""

from __future__ import annotations

import re

from fastapi import Request

from voc_stream.web.desk import desk_of
from voc_stream.web.problems import NotFound
from voc_stream.web.who import Caller

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


async def chosen_tenant(request: Request, caller: Caller) -> str:
    """Return the tenant of a page, and leave it and what there is to choose from in the request's state, for `render`.

    Asked for is the query's `tenant_id`; a caller of all tenants who asks for none gets the one of last time, else the first.

    Raises:
        Problem: 404: another tenant's, or no tenant's name.
    """
    asked = request.query_params.get("tenant_id") or None
    if asked is not None and not _TENANT.fullmatch(asked):
        raise NotFound
    if caller.tenant_id is None:
        known = sorted(desk_of(request).tenants.current().known)
        last = request.cookies.get("tenant", "")
        asked = asked or (last if last in known else known[0])
        request.state.tenants = known if asked in known else sorted((*known, asked))
    tenant_id = caller.tenant(asked)
    request.state.tenant_id = tenant_id
    return tenant_id
