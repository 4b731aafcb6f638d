"""Reads the text of an alerts file: rules and webhooks by tenant, over defaults (docs/alerts.md shows one)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voc_stream.stages.alert_rules import RULE, AlertRules, ComplaintRule, SentimentRule, TenantAlerts, Webhook

SHORTEST_SECRET = 16
MOST_RULES = 32

RuleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Fields = dict[str, Any]

_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]{0,127})")
_URL = re.compile(r"[!-~]{1,2048}")


class AlertsFileError(Exception):
    """The file cannot be used; the message is one line that names the place, without URL or secret."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Hook(_Strict):
    url: str
    secret: str


class _Section(_Strict):
    rules: Annotated[dict[RuleName, Fields], Field(max_length=MOST_RULES)] = {}
    webhook: _Hook | None = None


class _File(_Strict):
    defaults: _Section = _Section()
    tenants: dict[TenantName, _Section] = {}


def parse_alerts(text: str, environment: Mapping[str, str], *, https_only: bool) -> AlertRules:
    """Read the TOML text: `[defaults]` and `[tenants.<id>]`, each with `.rules.<name>` and `.webhook`.

    A tenant's rule takes from the default of the same name what it does not say itself.

    Args:
        text: the file.
        environment: where `env:NAME` is looked up.
        https_only: refuse webhooks in the clear.

    Raises:
        AlertsFileError: not TOML, or something in it is not as it should be.
    """
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise AlertsFileError(f"not TOML: {error}") from None
    except ValidationError as error:
        raise AlertsFileError(_first(error)) from None
    reader = _Reader(environment, https_only=https_only)
    defaults = reader.alerts("defaults", file.defaults, {}, None)
    tenants = {name: reader.alerts(f"tenants.{name}", section, file.defaults.rules, defaults.webhook) for name, section in file.tenants.items()}
    return AlertRules(defaults, tenants)


class _Reader:
    def __init__(self, environment: Mapping[str, str], *, https_only: bool) -> None:
        self._environment = environment
        self._https_only = https_only

    def alerts(self, place: str, section: _Section, below: Mapping[str, Fields], webhook: Webhook | None) -> TenantAlerts:
        named = {name: below.get(name, {}) | section.rules.get(name, {}) for name in (*below, *section.rules)}
        rules = {name: _rule(f"{place}.rules.{name}", fields) for name, fields in named.items()}
        return TenantAlerts(
            rules={name: rule for name, rule in rules.items() if rule.enabled},
            webhook=self._webhook(f"{place}.webhook", section.webhook) if section.webhook else webhook,
        )

    def _webhook(self, place: str, hook: _Hook) -> Webhook:
        if not _REFERENCE.fullmatch(hook.secret):
            raise AlertsFileError(f'{place}.secret: write "env:NAME": the secret itself is in the environment, never in the file')
        secret = self._looked_up(f"{place}.secret", hook.secret)
        if len(secret) < SHORTEST_SECRET:
            raise AlertsFileError(f"{place}.secret: shorter than {SHORTEST_SECRET} characters")
        url = self._looked_up(f"{place}.url", hook.url)
        if reason := _url_problem(url, https_only=self._https_only):
            raise AlertsFileError(f"{place}.url: {reason}")
        return Webhook(url, secret.encode())

    def _looked_up(self, place: str, value: str) -> str:
        found = _REFERENCE.fullmatch(value)
        if found is None:
            return value
        if not self._environment.get(found[1]):
            raise AlertsFileError(f"{place}: the environment has no {found[1]}")
        return self._environment[found[1]]


def _rule(place: str, fields: Fields) -> SentimentRule | ComplaintRule:
    try:
        return RULE.validate_python(fields)
    except ValidationError as error:
        raise AlertsFileError(f"{place}: {_first(error, skip=1)}") from None


def _url_problem(url: str, *, https_only: bool) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not a URL"
    if not _URL.fullmatch(url) or not parts.hostname or parts.scheme not in {"http", "https"}:
        return "not a URL of http or https, in ASCII, of at most 2048 characters"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must have neither user, password nor fragment: the signature is what proves us"
    if https_only and parts.scheme != "https":
        return "must be https outside dev"
    return None


def _first(error: ValidationError, skip: int = 0) -> str:
    """Say the first thing that is wrong. pydantic puts the kind of rule (its tag) before the field: `skip` leaves it out."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"][skip:])
    reason = first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason
