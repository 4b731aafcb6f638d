"""The SQL of Grafana's product dashboard is understood by ClickHouse and its migrated tables."""

from __future__ import annotations

import re

import pytest

from tests.unit.deploy.test_grafana import DASHBOARDS
from voc_stream.clients.clickhouse import Warehouse

QUERIES = [pytest.param(panel["targets"][0]["rawSql"], id=panel["title"]) for panel in DASHBOARDS["product"]()["panels"]]


@pytest.mark.parametrize("query", [*QUERIES, pytest.param(DASHBOARDS["product"]()["templating"]["list"][1]["query"], id="tenants")])
async def test_every_query_of_a_panel_can_be_answered(query: str, warehouse: Warehouse) -> None:
    # What Grafana's plugin puts in the place of its macros.
    filled = query.replace("$tenant", "acme").replace("$__fromTime", "toDateTime(0)").replace("$__toTime", "toDateTime(4000000000)")
    assert re.search(r"\$\w", filled) is None
    assert await warehouse.query(filled) == []
