"""Logs: JSON, or readable on a terminal; call_id, tenant_id, topic, partition and offset are fields. No personal data, no secrets."""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import Any

import structlog

from voc_stream.settings import Settings
from voc_stream.tracing.current import current_trace_id

# Field names whose values never belong in a log, however they get there.
FORBIDDEN = frozenset({"password", "secret", "token", "authorization", "dsn", "udfs", "other_parties", "customer", "transcript", "value", "key"})
# A setting's name ends like this if its value is a secret.
SECRETS = ("_password", "_secret", "_token", "_dsn")
REDACTED = "[redacted]"


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the module's logger."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def redact(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Blank the fields that must never be logged, also inside of fields."""
    cleaned: structlog.typing.EventDict = _cleaned(event)
    return cleaned


def add_trace_id(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name the trace of what is being worked on, where it is recorded."""
    trace_id = current_trace_id()
    if trace_id is not None:
        event.setdefault("trace_id", trace_id)
    return event


def _cleaned(value: Any) -> Any:
    match value:
        case dict():
            return {name: REDACTED if _forbidden(name) else _cleaned(inner) for name, inner in value.items()}
        case list():
            return [_cleaned(inner) for inner in value]
        case _:
            return value


def _forbidden(name: object) -> bool:
    lower = str(name).lower()
    return lower in FORBIDDEN or lower.endswith(SECRETS)


def configure_logging(settings: Settings) -> dict[str, Any]:
    """Configure structlog, and return the `logging.config.dictConfig` that sends the standard library's loggers the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_trace_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    readable = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    # The readable one's own way with stack traces shows the values of variables: personal data, and seconds of work.
    renderers: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=True)]
    )
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "main": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "main"}},
        "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
        # Their debug and info lines hold keys, values and addresses.
        "loggers": {name: {"level": "WARNING"} for name in ("aiokafka", "botocore", "aiobotocore", "asyncio", "urllib3", "clickhouse_connect")},
    }
    return config


def setup_logging(settings: Settings) -> None:
    """Configure logging of a process that Faust does not configure (the scoring service, the commands)."""
    logging.config.dictConfig(configure_logging(settings))
    logging.captureWarnings(capture=True)
