"""What a ClickHouse HTTP request asks for, told from its URL, its headers and its body. No I/O.

Source: ClickHouse's HTTP interface, as far as ``clickhouse-connect`` uses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_FORMAT = "TabSeparated"

# They steer the HTTP transport or identify the caller; the engine does not know them.
_TRANSPORT_ONLY = frozenset(
    {
        "add_http_cors_header",
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)

# VALUES and SELECT end the head: what follows is SQL for the engine, not data in a format.
_INSERT_WITH_DATA = re.compile(
    rb"\A\s*INSERT\s+INTO\s(?:(?!\bVALUES\b|\bSELECT\b).)*?\bFORMAT\s+(?P<format>[A-Za-z0-9_]+)[ \t]*;?\r?\n?",
    re.IGNORECASE | re.DOTALL,
)
_LEADING_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/|\()*", re.DOTALL)
_TRAILING_FORMAT = re.compile(r"\bFORMAT\s+([A-Za-z0-9_]+)\s*(?:SETTINGS\b[^;]*)?;?\s*\Z", re.IGNORECASE)
_RESULT_SET = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"})
_CODE = re.compile(r"Code:\s*(\d+)")
_NAME = re.compile(r"\A[A-Za-z_][A-Za-z0-9_]*\Z")

AUTHENTICATION_FAILED = 516
TOO_MANY_QUERIES = 202
NOT_IMPLEMENTED = 48
BAD_ARGUMENTS = 36

_NOT_FOUND = frozenset({46, 47, 50, 56, 60, 81, 115})
_BAD_REQUEST = frozenset({6, 26, 27, 36, 41, 53, 62, 72, 117, 457})


@dataclass(frozen=True)
class Statement:
    """One statement for the engine.

    ``data`` is None for plain SQL; for ``INSERT … FORMAT x`` it is the rows in that format and ``sql`` is the head before FORMAT.
    """

    sql: str
    data: bytes | None = None
    data_format: str = ""
    database: str = "default"
    default_format: str = DEFAULT_FORMAT
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def verb(self) -> str:
        """The first word, in capitals, past comments and brackets."""
        rest = self.sql[_leading(self.sql) :]
        word = re.match(r"[A-Za-z]+", rest)
        return word.group().upper() if word else ""

    @property
    def result_format(self) -> str | None:
        """The format of the rows that come back, or None when none do (DDL, INSERT)."""
        if self.data is not None or self.verb not in _RESULT_SET:
            return None
        explicit = _TRAILING_FORMAT.search(self.sql)
        return explicit.group(1) if explicit else self.default_format


class BadRequestError(Exception):
    """The request cannot be turned into a statement; ``code`` is ClickHouse's."""

    def __init__(self, message: str, code: int = BAD_ARGUMENTS) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message}")


def parse(arguments: Mapping[str, str], body: bytes) -> Statement:
    """The statement of a request whose URL (and form) arguments and decompressed body are given.

    Raises:
        BadRequestError: no query, a setting that is not a name, or text that is not UTF-8.
    """
    query = arguments.get("query", "").encode()
    text = query + b"\n" + body if query and body else query or body
    if not text.strip():
        msg = "Empty query"
        raise BadRequestError(msg, 62)
    head = _INSERT_WITH_DATA.match(text)
    try:
        sql = text[: head.start("format")].decode() if head else text.decode()
    except UnicodeDecodeError as error:
        msg = "the query is not UTF-8"
        raise BadRequestError(msg) from error
    return Statement(
        sql=re.sub(r"\bFORMAT\s+\Z", "", sql, flags=re.IGNORECASE) if head else sql,
        data=text[head.end() :] if head else None,
        data_format=head.group("format").decode() if head else "",
        database=arguments.get("database") or "default",
        default_format=arguments.get("default_format") or DEFAULT_FORMAT,
        settings=_settings(arguments),
        params={name.removeprefix("param_"): value for name, value in arguments.items() if name.startswith("param_")},
    )


def error_code(message: str) -> int:
    """ClickHouse's code in an engine's message, or 0 where it names none."""
    found = _CODE.search(message)
    return int(found.group(1)) if found else 0


def http_status(code: int) -> int:
    """The HTTP status that ClickHouse answers for one of its codes."""
    if code in _NOT_FOUND:
        return 404
    if code in _BAD_REQUEST:
        return 400
    return {AUTHENTICATION_FAILED: 403, TOO_MANY_QUERIES: 503, NOT_IMPLEMENTED: 501}.get(code, 500)


def _settings(arguments: Mapping[str, str]) -> dict[str, str]:
    settings = {name: value for name, value in arguments.items() if name not in _TRANSPORT_ONLY and not name.startswith("param_")}
    for name in settings:
        if not _NAME.match(name):
            msg = f"not the name of a setting: {name[:64]!r}"
            raise BadRequestError(msg, 115)
    return settings


def _leading(sql: str) -> int:
    found = _LEADING_COMMENTS.match(sql)
    return found.end() if found else 0
