"""ClickHouse: results in, queries out, and its errors in our own terms (voc_stream.errors)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
from clickhouse_connect.driver import create_async_client, options
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError

from voc_stream.errors import OutageError, OutsideError, RejectedError, TransientError
from voc_stream.events.calls import ScoringResult
from voc_stream.settings import Settings

NAME = "clickhouse"

# Columns of `call_scores` with their types: told to the driver, because asking the server at each insert costs more than the insert.
CALL_SCORES = {
    "call_id": "String",
    "model_version": "LowCardinality(String)",
    "tenant_id": "LowCardinality(String)",
    "agent_id": "LowCardinality(String)",
    "skill": "LowCardinality(String)",
    "service": "LowCardinality(String)",
    "switch_call_id": "String",
    "started_at": "DateTime64(3, 'UTC')",
    "ended_at": "DateTime64(3, 'UTC')",
    "duration": "Float64",
    "outcome": "LowCardinality(String)",
    "reason": "LowCardinality(String)",
    "score": "Nullable(Float64)",
    "breakdown": "String",
    "asr_model": "LowCardinality(String)",
    "latency_ms": "UInt64",
    "scored_at": "DateTime64(3, 'UTC')",
    "version": "UInt64",
}

# The driver looks for these libraries at its first insert, and would load 70 MiB of what nothing here uses wherever they happen to be installed.
for _library in ("np", "pd", "pd_time_test", "arrow", "pl"):
    vars(options).setdefault(_library, None)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Codes that speak of the server or its schema, not of our rows.
_OUTAGES = {
    16: "a column is missing; run: faust -A voc_stream migrate",
    36: "refuses a setting or argument",
    47: "a column is missing; run: faust -A voc_stream migrate",
    60: "a table is missing; run: faust -A voc_stream migrate",
    81: "the database is missing; run: faust -A voc_stream migrate",
    115: "does not know a setting",
    164: "is read-only for our user",
    192: "does not know our user",
    193: "refuses our password",
    194: "wants a password",
    202: "has too many queries at once",
    210: "lost its network",
    225: "has no keeper",
    236: "aborted",
    241: "is out of memory",
    242: "table is read-only",
    243: "is out of disk space",
    252: "has too many parts, or the insert touches too many partitions",
    279: "lost its connections",
    285: "has too few live replicas",
    319: "does not know whether the insert passed",
    497: "denies our user a right that it needs",
    516: "refuses our user or password",
    999: "lost its keeper",
}
_TRANSIENTS = {159: "query took too long", 160: "query took too long", 209: "socket timed out", 394: "query was cancelled", 425: "system error"}
# The rows themselves can never be stored: type, size, parse.
_REJECTED = frozenset({6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 407, 441})
_CODE = re.compile(r"[Cc]ode:? (\d+)")


class Warehouse:
    """A client, made at first use; the server need not be up before that, and may come and go.

    Args:
        settings: CLICKHOUSE_*.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def insert_scores(self, results: Sequence[ScoringResult], token: str) -> None:
        """Insert results as one block; acknowledged when they are on disk. The same call and model again is the same row.

        Args:
            results: none is fine, too.
            token: names this block; sent again, it adds nothing.

        Raises:
            OutsideError: see `outside_error`.
        """
        if not results:
            return
        async with self._lent() as client:
            await client.insert(
                "call_scores",
                [score_row(result) for result in results],
                column_names=list(CALL_SCORES),
                column_type_names=list(CALL_SCORES.values()),
                settings={"async_insert": 0, "insert_deduplication_token": token},
            )

    async def query(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a query; its parameters are bound on the server (`{name:Type}`).

        Raises:
            OutsideError: see `outside_error`.
        """
        async with self._lent() as client:
            result = await client.query(statement, parameters=dict(parameters or {}))
            return list(result.named_results())

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns no rows.

        Raises:
            OutsideError: see `outside_error`.
        """
        async with self._lent() as client:
            await client.command(statement, parameters=dict(parameters or {}))

    async def probe(self) -> None:
        """Ask whether our table is there.

        Raises:
            OutsideError: it is not, or nobody answers.
        """
        await self.query("SELECT call_id FROM call_scores LIMIT 0")

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncClient]:
        """Lend the client; what it raises, and what takes longer than the time-out, comes out as our own errors."""
        with translated():
            async with asyncio.timeout(self._settings.clickhouse_timeout_seconds):
                yield await self._opened()

    async def _opened(self) -> AsyncClient:
        async with self._opening:
            if self._client is None:
                settings = self._settings
                self._client = await create_async_client(
                    host=settings.clickhouse_host,
                    port=settings.clickhouse_port,
                    username=settings.clickhouse_user,
                    password=settings.clickhouse_password.get_secret_value(),
                    database=settings.clickhouse_db,
                    secure=settings.clickhouse_secure,
                    connect_timeout=min(10.0, settings.clickhouse_timeout_seconds),
                    send_receive_timeout=settings.clickhouse_timeout_seconds,
                    client_name="voc-stream",
                    autogenerate_session_id=False,  # queries of one session exclude each other
                )
            return self._client


def score_row(result: ScoringResult) -> list[Any]:
    """Return a result as a row of `call_scores`, made of the event alone, so that a replay gives the same row."""
    return [
        result.call_id,
        result.model_version,
        result.tenant_id,
        result.agent_id,
        result.skill,
        result.service,
        result.switch_call_id,
        result.started_at,
        result.ended_at,
        result.duration,
        result.outcome,
        result.reason or "",
        result.score,
        msgspec.json.encode(result.breakdown).decode(),
        result.asr_model,
        result.latency_ms,
        result.scored_at,
        (result.scored_at - _EPOCH) // timedelta(microseconds=1),
    ]


@contextmanager
def translated() -> Iterator[None]:
    """Raise our own errors in place of the driver's."""
    try:
        yield
    except (ClickHouseError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise outside_error(error) from error


def outside_error(error: Exception) -> OutsideError:
    """Say what to do about a failure of the driver or of the network; the reason never quotes a value.

    Returns:
        OutageError (down, full, not migrated), TransientError (took too long) or RejectedError (these rows can never be stored).
    """
    if isinstance(error, TimeoutError):
        return TransientError(NAME, "no answer in time")
    found = _CODE.search(str(error))
    if isinstance(error, DataError) and found is None:
        return RejectedError(NAME, "a value does not fit its column")
    if not isinstance(error, ClickHouseError) or found is None:
        return OutageError(NAME, f"cannot be reached ({type(error).__name__})")
    code = int(found[1])
    if code in _TRANSIENTS:
        return TransientError(NAME, f"{_TRANSIENTS[code]} (code {code})")
    if code in _REJECTED:
        return RejectedError(NAME, f"does not accept the rows (code {code})")
    # What we do not know is rather about the server than about one row: it becomes lag, not a dead letter.
    return OutageError(NAME, f"{_OUTAGES.get(code, 'refuses')} (code {code})")
