"""The tenants file: readable, and every mistake in it is told in one line that names the place."""

from __future__ import annotations

from decimal import Decimal

import pytest

from voc_stream.stages.composite import Weight
from voc_stream.stages.tenants import TenantsFileError, parse_tenants


def test_services_and_skills_name_their_tenants() -> None:
    tenants = parse_tenants('[services]\n"acme-*" = "acme"\n[skills]\nbilling = "globex"\n')

    assert tenants.tenant_of("acme-support", "billing") == "acme"
    assert tenants.tenant_of("other", "billing") == "globex"


def test_an_empty_file_leaves_every_call_unassigned() -> None:
    assert parse_tenants("").tenant_of("acme-support", "billing") == "unassigned"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[services\n", "line 1"),
        ("[service]\na = 'b'\n", "[service]"),
        ("[services]\nacme = 7\n", '[services] "acme"'),
        ("[skills]\nacme = 'no tenant id'\n", '[skills] "acme"'),
        (f"[skills]\nacme = '{'x' * 65}'\n", '[skills] "acme"'),
        ("[services.acme]\nsupport = 'acme'\n", '[services] "acme"'),
        ("services = 'acme'\n", "services"),
        ("skills = ['acme']\n", "skills"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_place(text: str, names: str) -> None:
    with pytest.raises(TenantsFileError) as caught:
        parse_tenants(text)

    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_are_the_tenants_own_or_the_default_and_have_a_version() -> None:
    weights = parse_tenants("[weights]\nversion = 4\ndefault = 0.65\n[weights.tenants]\nacme = 1\nglobex = 0.125\n").weights

    assert weights.of("acme") == Weight(Decimal(1), 4)
    assert weights.of("globex") == Weight(Decimal("0.125"), 4)
    assert weights.of("initech") == Weight(Decimal("0.65"), 4)


def test_without_weights_quality_counts_seven_tenths() -> None:
    assert parse_tenants("").weights.of("acme") == Weight(Decimal("0.7"), 0)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("default = 0.7", "[weights] version"),
        ("version = 0", "[weights] version"),
        ("version = true", "[weights] version"),
        ("version = 1.5", "[weights] version"),
        ("version = 1\nacme = 0.5", '[weights] "acme"'),
        ("version = 1\ntenants = 0.5", "[weights] tenants"),
        *((f"version = 1\ndefault = {weight}", "[weights] default") for weight in ("1.1", "-0.1", "nan", "inf", "0.1234", "'0.7'", "true")),
        ("version = 1\n[weights.tenants]\nacme = 7", "[weights] tenants.acme"),
    ],
)
def test_a_mistake_in_the_weights_is_one_line_that_names_the_place(text: str, names: str) -> None:
    with pytest.raises(TenantsFileError) as caught:
        parse_tenants(f"[weights]\n{text}\n")

    assert names in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_tenant_keeps_its_events_as_long_as_the_file_says() -> None:
    retention = parse_tenants('[retention_days]\nacme = 30\n"*" = 400\n').retention
    assert (retention.of("acme"), retention.of("globex")) == (30, 400)
    assert parse_tenants("[retention_days]\nacme = 30\n").retention.of("globex") is None
    assert parse_tenants("").retention.of("acme") is None


@pytest.mark.parametrize("line", ["acme = 0", "acme = -1", "acme = 1.5", 'acme = "30"', "acme = true", "acme = 40000", '"../x" = 30'])
def test_a_mistake_in_the_retention_is_one_line_that_names_the_place(line: str) -> None:
    with pytest.raises(TenantsFileError, match=r"^\[retention_days\] "):
        parse_tenants(f"[retention_days]\n{line}\n")
