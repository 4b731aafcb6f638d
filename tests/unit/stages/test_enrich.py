"""Times in UTC, the agent, the tenant (spec section 2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.unit.stages.made import OUT, facts, raw_call
from voc_stream.events.calls import EnrichedCall, RawCall
from voc_stream.stages.changes import At, Enriched
from voc_stream.stages.enrich import agent_id, enrich
from voc_stream.stages.outcome import DeadLetter, Ok
from voc_stream.stages.tenants import TenantMap

TENANTS = TenantMap(services={"acme-*": "acme"}, skills={"billing": "by-skill"})


def enriched(raw: RawCall, tenants: TenantMap = TENANTS) -> EnrichedCall:
    outcome = enrich(raw, facts(), tenants, OUT)
    assert isinstance(outcome, Ok)
    (publication,) = outcome.out
    assert isinstance(publication.value, EnrichedCall)
    return publication.value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("4603 (agent1234.247)", "4603"),
        ("  4603(agent1234.247)", "4603"),
        ("4603", "4603"),
        ("4603; 4604 (b)", "4603"),
        ("4603, 4604", "4603"),
        ("agent.a-1_b", "agent.a-1_b"),
        ("1234567890123456 (x)", "1234567890123456"),
        ("12345678901234567 (x)", ""),
        ("", ""),
        ("(agent1234.247)", ""),
        ("John Doe", ""),
    ],
)
def test_the_agent_s_id_is_what_stands_before_the_login(raw: str, expected: str) -> None:
    assert agent_id(raw) == expected


def test_times_become_utc_also_across_the_end_of_daylight_saving() -> None:
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    call = enriched(raw_call(started_at=datetime(2026, 10, 25, 2, 50, tzinfo=summer), ended_at=datetime(2026, 10, 25, 2, 5, tzinfo=winter)))

    assert call.started_at == datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    assert call.ended_at == datetime(2026, 10, 25, 1, 5, tzinfo=UTC)
    assert {call.started_at.tzinfo, call.ended_at.tzinfo, call.event_ts.tzinfo} == {UTC}


@pytest.mark.parametrize(
    ("service", "skill", "tenant"),
    [
        ("acme-support", "billing", "acme"),
        ("ACME-Support", "", "acme"),
        ("other", "billing", "by-skill"),
        ("", "Billing", "by-skill"),
        ("other", "other", "unassigned"),
        ("", "", "unassigned"),
    ],
)
def test_the_tenant_comes_from_the_service_before_the_skill_and_none_is_unassigned(service: str, skill: str, tenant: str) -> None:
    assert enriched(raw_call(service=service, skill=skill)).tenant_id == tenant


def test_the_first_pattern_that_matches_counts() -> None:
    tenants = TenantMap(services={"acme-gold*": "gold", "acme-*": "acme"})

    assert tenants.tenant_of("acme-gold-1", "") == "gold"
    assert tenants.tenant_of("acme-silver", "") == "acme"


def test_customer_data_goes_to_the_change_and_not_into_the_topic() -> None:
    raw = raw_call(sealed_udfs="v1.k.n.sealed")
    outcome = enrich(raw, facts(7), TENANTS, OUT)

    assert isinstance(outcome, Ok)
    assert isinstance(outcome.change, Enriched)
    assert (outcome.change.customer, outcome.change.sealed_udfs) == ("+14155550123", "v1.k.n.sealed")
    assert outcome.change.at == At(facts().now, "in", 0, 7)
    assert "+14155550123" not in repr(outcome.out)


def test_long_names_are_cut_to_what_the_database_holds() -> None:
    call = enriched(raw_call(service="s" * 200, skill="k" * 200))

    assert (len(call.service), len(call.skill)) == (64, 64)


def test_a_call_that_ends_before_it_starts_is_a_dead_letter() -> None:
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    outcome = enrich(raw_call(started_at=start, ended_at=start - timedelta(seconds=1)), facts(), TENANTS, OUT)

    assert isinstance(outcome, DeadLetter)
    assert outcome.error_type == "bad_times"


def test_a_call_of_no_length_passes() -> None:
    start = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)

    assert enriched(raw_call(started_at=start, ended_at=start)).ended_at == start
