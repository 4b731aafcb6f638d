"""How much one may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from voc_stream.settings import load_settings
from voc_stream.web.problems import Problem
from voc_stream.web.rates import Rates


async def allowed(ask: Callable[[], Awaitable[None]], most: int) -> int:
    """Return how often one may ask before it is refused with 429 and a time to wait."""
    problem, number = None, 0
    while problem is None and number < most:
        try:
            await ask()
            number += 1
        except Problem as refusal:
            problem = refusal
    assert problem is None or (problem.status == 429 and int(problem.headers["Retry-After"]) >= 1)
    return number


async def test_each_address_and_each_tenant_has_its_own_rate() -> None:
    rates = Rates(load_settings(http_peer_rate=5, http_tenant_rate=7))
    # A second may end in between.
    assert 5 <= await allowed(lambda: rates.of_peer("10.0.0.1"), 100) <= 10
    assert 5 <= await allowed(lambda: rates.of_peer("10.0.0.2"), 100) <= 10
    assert 7 <= await allowed(lambda: rates.of_tenant("acme"), 100) <= 14
    assert 7 <= await allowed(lambda: rates.of_tenant(None), 100) <= 14


async def test_a_day_s_quota_ends_and_another_tenant_has_one_of_its_own() -> None:
    rates = Rates(load_settings(http_tenant_rate=1000, http_tenant_quota=20))
    assert await allowed(lambda: rates.of_tenant("acme"), 100) == 20
    with pytest.raises(Problem, match="used up"):
        await rates.of_tenant("acme")
    assert await allowed(lambda: rates.of_tenant("globex"), 20) == 20


async def test_wrong_credentials_are_few() -> None:
    rates = Rates(load_settings(http_wrong_credentials=20))
    assert 20 <= await allowed(lambda: rates.wrong_credential("10.0.0.1"), 1000) <= 40
