"""The tenants file: readable, and every mistake in it is told in one line that names the place."""

from __future__ import annotations

import pytest

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
