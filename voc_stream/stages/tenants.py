"""Whose call is it: from the service or the skill, by a readable file (spec section 2.3)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from voc_stream.events.calls import UNASSIGNED

_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class TenantsFileError(Exception):
    """The file cannot be used; the message is one line that names the place."""


@dataclass(frozen=True, slots=True)
class TenantMap:
    """Patterns of services and of skills, each with its tenant; the first that matches counts, services before skills."""

    services: Mapping[str, str] = field(default_factory=dict)
    skills: Mapping[str, str] = field(default_factory=dict)

    def tenant_of(self, service: str, skill: str) -> str:
        """Return the tenant, or `unassigned`."""
        for patterns, name in ((self.services, service), (self.skills, skill)):
            for pattern, tenant in patterns.items():
                if name and fnmatchcase(name.lower(), pattern.lower()):
                    return tenant
        return UNASSIGNED


def parse_tenants(text: str) -> TenantMap:
    """Read the TOML text of a tenants file: tables `[services]` and `[skills]`, pattern = "tenant".

    Raises:
        TenantsFileError: not TOML, an unknown table, or a tenant id that is not one.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TenantsFileError(f"not TOML: {error}") from None
    unknown = set(tables) - {"services", "skills"}
    if unknown:
        raise TenantsFileError(f"unknown table [{min(unknown)}]; there are [services] and [skills]")
    for table, patterns in tables.items():
        if not isinstance(patterns, dict):
            raise TenantsFileError(f"{table} is not a table: write [{table}] and below it a pattern a line")
        for pattern, tenant in patterns.items():
            if not isinstance(tenant, str) or not _TENANT_ID.fullmatch(tenant):
                raise TenantsFileError(f'[{table}] "{pattern}": not a tenant id (letters, digits, ._- and at most 64)')
    return TenantMap(services=tables.get("services", {}), skills=tables.get("skills", {}))
