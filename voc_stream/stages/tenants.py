"""Whose call is it, from the service or the skill, and what its tenant weighs how: by a readable file (spec sections 2.3 and 2.6)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from voc_stream.events.calls import UNASSIGNED
from voc_stream.stages.composite import DEFAULT_WEIGHT, Weights

_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_DAYS = 36_500


class TenantsFileError(Exception):
    """The file cannot be used; the message is one line that names the place."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each tenant keeps its events, today included; None: for ever.

    Attributes:
        days: by tenant.
        default: of all others.
    """

    days: Mapping[str, int] = field(default_factory=dict)
    default: int | None = None

    def of(self, tenant: str) -> int | None:
        """Return a tenant's days."""
        return self.days.get(tenant, self.default)


@dataclass(frozen=True, slots=True)
class TenantMap:
    """Patterns of services and of skills, each with its tenant; the first that matches counts, services before skills.

    Attributes:
        weights: of quality against sentiment in the composite score.
        retention: of customer events.
    """

    services: Mapping[str, str] = field(default_factory=dict)
    skills: Mapping[str, str] = field(default_factory=dict)
    weights: Weights = field(default_factory=Weights)
    retention: Retention = field(default_factory=Retention)

    @property
    def known(self) -> frozenset[str]:
        """Return every tenant that it names, and `unassigned`, whose calls wait for a name."""
        return frozenset((*self.services.values(), *self.skills.values(), UNASSIGNED))

    def tenant_of(self, service: str, skill: str) -> str:
        """Return the tenant, or `unassigned`."""
        for patterns, name in ((self.services, service), (self.skills, skill)):
            for pattern, tenant in patterns.items():
                if name and fnmatchcase(name.lower(), pattern.lower()):
                    return tenant
        return UNASSIGNED


def parse_tenants(text: str) -> TenantMap:
    """Read the TOML text of a tenants file.

    `[services]` and `[skills]`: pattern = "tenant"; `[weights]`: version, default and tenants; `[retention_days]`: tenant = days, "*" for all others.

    Raises:
        TenantsFileError: not TOML, an unknown table, a tenant id that is not one, a weight beyond 0 to 1, or no number of days.
    """
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise TenantsFileError(f"not TOML: {error}") from None
    unknown = set(tables) - {"services", "skills", "weights", "retention_days"}
    if unknown:
        raise TenantsFileError(f"unknown table [{min(unknown)}]; there are [services], [skills], [weights] and [retention_days]")
    for table, lines in tables.items():
        if not isinstance(lines, dict):
            raise TenantsFileError(f"{table} is not a table: write [{table}] and below it a pattern a line")
    weights = _weights(tables["weights"]) if "weights" in tables else Weights()
    return TenantMap(_patterns("services", tables), _patterns("skills", tables), weights, _retention(tables.get("retention_days", {})))


def _patterns(table: str, tables: Mapping[str, Any]) -> Mapping[str, str]:
    patterns: Mapping[str, str] = tables.get(table, {})
    for pattern, tenant in patterns.items():
        if not isinstance(tenant, str) or not _TENANT_ID.fullmatch(tenant):
            raise TenantsFileError(f'[{table}] "{pattern}": not a tenant id (letters, digits, ._- and at most 64)')
    return patterns


def _retention(table: Mapping[str, Any]) -> Retention:
    for tenant, days in table.items():
        if tenant != "*" and not _TENANT_ID.fullmatch(tenant):
            raise TenantsFileError(f'[retention_days] "{tenant}": neither a tenant id nor "*"')
        if type(days) is not int or not 1 <= days <= _MOST_DAYS:
            raise TenantsFileError(f'[retention_days] "{tenant}": a whole number of days, 1 to {_MOST_DAYS}')
    return Retention({tenant: days for tenant, days in table.items() if tenant != "*"}, table.get("*"))


def _weights(table: Mapping[str, Any]) -> Weights:
    unknown = set(table) - {"version", "default", "tenants"}
    if unknown:
        raise TenantsFileError(f'[weights] "{min(unknown)}": there are version, default and tenants')
    version, tenants = table.get("version"), table.get("tenants", {})
    if type(version) is not int or not 1 <= version < 2**31:
        raise TenantsFileError("[weights] version: a whole number from 1, higher with every change")
    if not isinstance(tenants, dict):
        raise TenantsFileError("[weights] tenants is not a table: write [weights.tenants] and below it tenant = weight")
    default = _weight("default", table.get("default", DEFAULT_WEIGHT))
    return Weights(version, default, {tenant: _weight(f"tenants.{tenant}", weight) for tenant, weight in tenants.items()})


def _weight(name: str, value: Any) -> Decimal:
    """Return a weight as the database holds it: three decimals."""
    weight = Decimal(value) if isinstance(value, Decimal) or type(value) is int else Decimal("NaN")
    if not (weight.is_finite() and 0 <= weight <= 1 and weight == round(weight, 3)):
        raise TenantsFileError(f"[weights] {name}: a weight is 0 to 1, with three decimals at most")
    return round(weight, 3)
