"""Which metrics a PromQL expression uses, against those that the code exports."""

from __future__ import annotations

import re

from prometheus_client import Counter, Gauge, Histogram

from voc_stream.runtime import metrics

# What Prometheus itself knows of every target.
_PROMETHEUS_OWN = {"up", "ALERTS"}
_WORDS = {
    "sum", "min", "max", "avg", "count", "by", "on", "without", "ignoring", "group_left", "group_right", "offset", "and", "or", "unless",
    "bool", "rate", "irate", "increase", "deriv", "delta", "absent", "time", "histogram_quantile", "label_replace", "topk", "clamp_min",
    "clamp_max", "vector", "avg_over_time", "max_over_time", "min_over_time", "sum_over_time",
}  # fmt: skip


def metrics_of(expression: str) -> set[str]:
    """Return the names of metrics that an expression reads; labels, functions and durations are none."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\boffset\s+\S+", "", bare)
    return {name for name in re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", bare) if name not in _WORDS}


def exported() -> set[str]:
    """Return every name that `/metrics` may show."""
    names = set()
    for value in vars(metrics).values():
        if isinstance(value, Counter):
            names.add(f"{value._name}_total")
        elif isinstance(value, Gauge):
            names.add(value._name)
        elif isinstance(value, Histogram):
            names |= {f"{value._name}_{suffix}" for suffix in ("bucket", "sum", "count")}
    return names | {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_start_time_seconds"}


def unknown_metrics(expression: str, recorded: set[str]) -> set[str]:
    """Return the names that neither the code exports nor a rule records."""
    return metrics_of(expression) - exported() - recorded - _PROMETHEUS_OWN
