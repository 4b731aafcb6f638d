"""Writes the three dashboards: `python deploy/grafana/build.py` (JSON below `dashboards/`; a test holds the files to this script)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "${clickhouse}"}
# Grafana's grid is 24 wide; three panels stand side by side.
WIDTH, HEIGHT, ACROSS = 8, 8, 3

Panel = dict[str, Any]


def measured(title: str, unit: str, *queries: tuple[str, str], about: str = "") -> Panel:
    """Return a time series over Prometheus.

    Args:
        title: what it shows.
        unit: Grafana's id of the unit.
        queries: expression and legend.
        about: how to read it.
    """
    targets = [
        {"refId": chr(65 + index), "expr": expr, "legendFormat": legend, "datasource": PROMETHEUS} for index, (expr, legend) in enumerate(queries)
    ]
    return {"type": "timeseries", "title": title, "description": about, "datasource": PROMETHEUS, "targets": targets, "fieldConfig": _unit(unit)}


def asked(title: str, unit: str, sql: str, *, kind: str = "timeseries", about: str = "") -> Panel:
    """Return a panel over ClickHouse: sums that merge, divided where they are shown.

    Args:
        title: what it shows.
        unit: Grafana's id of the unit.
        sql: the query; `$tenant` is the chosen tenant, `$from` and `$to` are days.
        kind: Grafana's panel type.
        about: how to read it.
    """
    target = {
        "refId": "A",
        "rawSql": sql,
        "queryType": "timeseries" if kind == "timeseries" else "table",
        "editorType": "sql",
        "datasource": CLICKHOUSE,
    }
    return {"type": kind, "title": title, "description": about, "datasource": CLICKHOUSE, "targets": [target], "fieldConfig": _unit(unit)}


def _unit(unit: str) -> dict[str, Any]:
    return {"defaults": {"unit": unit, "min": 0 if unit not in {"none", "short"} else None}, "overrides": []}


def dashboard(uid: str, title: str, variables: Sequence[dict[str, Any]], panels: Sequence[Panel]) -> dict[str, Any]:
    """Return a dashboard with its panels in rows of three."""
    places = [
        panel | {"id": index + 1, "gridPos": {"w": WIDTH, "h": HEIGHT, "x": index % ACROSS * WIDTH, "y": index // ACROSS * HEIGHT}}
        for index, panel in enumerate(panels)
    ]
    return {
        "uid": uid,
        "title": title,
        "tags": ["voc-stream"],
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "schemaVersion": 39,
        "templating": {"list": list(variables)},
        "panels": places,
    }


def _source(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "type": "datasource", "query": kind, "label": name}


WORKERS = _source("prometheus", "prometheus")
EVENTS = _source("clickhouse", "grafana-clickhouse-datasource")
TENANT = {
    "name": "tenant",
    "type": "query",
    "label": "tenant",
    "datasource": CLICKHOUSE,
    "query": "SELECT DISTINCT tenant_id FROM voc_sums WHERE by = 'day' ORDER BY tenant_id",
    "refresh": 2,
}

_DAYS = "by = '{by}' AND tenant_id = '$tenant' AND at >= $__fromTime AND at <= $__toTime"


def _by(by: str) -> str:
    return _DAYS.format(by=by)


def product() -> dict[str, Any]:
    """What a tenant's agents and customers are doing. Each tenant's numbers are in ClickHouse: as metrics they would be a series a tenant."""
    hour = _by("hour")
    panels = (
        asked(
            "Events an hour",
            "short",
            f"SELECT at AS time, event_type, sum(events) AS events FROM voc_sums WHERE {hour} GROUP BY time, event_type ORDER BY time",
        ),
        asked(
            "Sentiment",
            "none",
            f"SELECT at AS time, toFloat64(sum(sentiment_sum)) / sum(scored) AS sentiment FROM voc_sums WHERE {hour}"
            " GROUP BY time HAVING sum(scored) > 0 ORDER BY time",
            about="From -1 to 1, over the events that carry a feeling.",
        ),
        asked(
            "Complaints",
            "percentunit",
            f"SELECT at AS time, sum(complaints) / sum(events) AS complaints FROM voc_sums WHERE {hour} GROUP BY time ORDER BY time",
        ),
        asked(
            "Topics",
            "short",
            f"SELECT key AS topic, sum(events) AS events FROM voc_sums WHERE {_by('topic')} AND key != ''"
            " GROUP BY topic ORDER BY events DESC LIMIT 20",
            kind="table",
        ),
        asked(
            "Agents by their customers' sentiment",
            "none",
            "SELECT key AS agent, sum(scored) AS events, toFloat64(sum(sentiment_sum)) / sum(scored) AS sentiment"
            f" FROM voc_sums WHERE {_by('agent')} AND key != '' GROUP BY agent HAVING events >= 20 ORDER BY sentiment LIMIT 50",
            kind="table",
            about="Agents with fewer than twenty events are left out: their mean says little.",
        ),
        asked(
            "Scores of calls",
            "none",
            "SELECT toStartOfHour(ended_at) AS time, avg(score) AS score, count() AS calls FROM call_scores_current"
            " WHERE tenant_id = '$tenant' AND outcome = 'SCORED' AND ended_at >= $__fromTime AND ended_at <= $__toTime GROUP BY time ORDER BY time",
        ),
    )
    return dashboard("voc-product", "voc-stream: a tenant", (EVENTS, TENANT), panels)


def pipeline() -> dict[str, Any]:
    """Both pipelines by stage: lag, rates, the budget of two minutes and who takes it."""
    panels = (
        measured("Lag", "short", ("sum by (topic, group) (kafka_consumer_lag)", "{{topic}}")),
        measured("Records done", "ops", ("sum by (stage, outcome) (rate(voc_stage_records_total[5m]))", "{{stage}} {{outcome}}")),
        measured("Customer events taken", "ops", ("sum by (topic) (rate(voc_events_consumed_total[5m]))", "{{topic}}")),
        measured("Customer events done", "ops", ("sum by (topic, outcome) (rate(voc_events_processed_total[5m]))", "{{topic}} {{outcome}}")),
        measured(
            "The two minutes, by hop",
            "s",
            ("histogram_quantile(0.95, sum by (le, stage) (rate(voc_hop_seconds_bucket[5m])))", "{{stage}}"),
            about="p95 from the end of the call until it left the stage. The largest step from one line to the next is the hop to blame.",
        ),
        measured(
            "Calls scored too late",
            "percentunit",
            ("voc:sla:late_ratio5m", "5 min"),
            ("voc:sla:late_ratio1h", "1 h"),
            ("voc:sla:late_ratio6h", "6 h"),
            about="The budget is 5 in 100.",
        ),
        measured("Dead letters", "ops", ("sum by (stage, error_type) (rate(voc_dead_letters_total[5m]))", "{{stage}} {{error_type}}")),
        measured("Retries", "ops", ("sum by (stage) (rate(voc_stage_retries_total[5m]))", "{{stage}}")),
        measured(
            "Window of customer events",
            "s",
            ("histogram_quantile(0.99, sum by (le) (rate(voc_batch_process_seconds_bucket[5m])))", "p99"),
            ("histogram_quantile(0.5, sum by (le) (rate(voc_batch_process_seconds_bucket[5m])))", "median"),
        ),
        measured("Records in a window", "short", ("sum(rate(voc_batch_records_sum[5m])) / sum(rate(voc_batch_records_count[5m]))", "mean")),
        measured("Dependencies", "bool", ("min by (dependency) (voc_dependency_up)", "{{dependency}}")),
        measured("Paused stages", "bool", ("max by (stage, by) (voc_stage_paused)", "{{stage}} by {{by}}")),
        measured("Gaps", "short", ("max by (hop) (voc_completeness_gaps)", "{{hop}}"), about="Calls and events that are not where they should be."),
        measured(
            "Polling",
            "ops",
            ("sum by (sweep, result) (rate(voc_polls_total[5m]))", "{{sweep}} {{result}}"),
            ("sum(rate(voc_polled_calls_total[5m]))", "calls found"),
        ),
        measured("Alerts to tenants", "ops", ("sum by (metric, state) (rate(voc_alerts_total[15m]))", "{{metric}} {{state}}")),
    )
    return dashboard("voc-pipeline", "voc-stream: the pipelines", (WORKERS,), panels)


def workers() -> dict[str, Any]:
    """Each worker: what it holds, how much it may do at once, what it waits for."""
    panels = (
        measured("Alive", "bool", ("voc_healthy", "{{instance}}"), about="0: a restart would mend it."),
        measured("Stages that get nowhere", "s", ("voc_stage_standstill_seconds > 0", "{{instance}} {{stage}}")),
        measured("Memory", "bytes", ('process_resident_memory_bytes{job="voc"}', "{{instance}}")),
        measured("CPU", "percentunit", ('rate(process_cpu_seconds_total{job="voc"}[5m])', "{{instance}}")),
        measured("Open files", "short", ('process_open_fds{job="voc"}', "{{instance}}")),
        measured("Lag", "short", ("sum by (instance) (kafka_consumer_lag)", "{{instance}}")),
        measured("In flight", "short", ("voc_stage_in_flight", "{{instance}} {{stage}}"), ("queue_depth", "{{instance}} {{stage}} waiting")),
        measured("Concurrency limit", "short", ("voc_stage_concurrency_limit", "{{instance}} {{stage}}")),
        measured(
            "Scoring's round trip", "ms", ("histogram_quantile(0.95, sum by (le, instance) (rate(scoring_latency_ms_bucket[5m])))", "{{instance}}")
        ),
        measured("Download", "ms", ("histogram_quantile(0.95, sum by (le, instance) (rate(download_latency_ms_bucket[5m])))", "{{instance}}")),
        measured("Tables", "bytes", ("voc_table_bytes", "{{instance}} {{table}}")),
        measured("Room for state", "bytes", ("voc_state_free_bytes", "{{instance}}")),
        measured("Recovery", "short", ("voc_recovery_remaining", "{{instance}}"), about="Changes of its tables that a worker has not read yet."),
        measured(
            "Until credentials end",
            "s",
            ("min by (credential) (voc_credential_expires_timestamp_seconds) - time()", "{{credential}}"),
            about="Certificates and tokens that are in use.",
        ),
        measured("Remembered event ids", "short", ("voc_dedup_ids", "{{instance}}")),
        measured(
            "Cache of slow models",
            "percentunit",
            (
                (
                    'sum by (instance) (rate(voc_sentiment_cache_lookups_total{result="hit"}[5m]))'
                    " / sum by (instance) (rate(voc_sentiment_cache_lookups_total[5m]))"
                ),
                "{{instance}}",
            ),
        ),
    )
    return dashboard("voc-workers", "voc-stream: the workers", (WORKERS,), panels)


DASHBOARDS = {"product": product, "pipeline": pipeline, "workers": workers}


def main() -> None:
    """Write the files."""
    for name, make in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
