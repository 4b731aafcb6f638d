"""`/desk/ledger`: whether everything is there: the completeness ledger's equations, and what does not add up (docs/completeness.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from voc_stream.clients.completeness_store import CompletenessStore
from voc_stream.stages.completeness import Hop
from voc_stream.web.desk import AtDesk
from voc_stream.web.pages.render import render
from voc_stream.web.who import Operator

router = APIRouter(prefix="/desk", include_in_schema=False)

HOURS = 24
MOST_HOURS = 90 * 24
MOST_SHOWN = 1000


class HopSum(NamedTuple):
    """A hop over all hours that are shown."""

    hop: str
    expected: int
    gaps: int


@router.get("/ledger")
async def ledger(request: Request, caller: Operator, desk: AtDesk, hours: Annotated[int, Query(ge=1, le=MOST_HOURS)] = HOURS) -> HTMLResponse:
    """Show sums by hop, then what is missing, hour by hour."""
    since = datetime.now(UTC) - timedelta(hours=hours + 1)
    store = CompletenessStore(desk.db)
    report = await store.report(since, tenant_id=caller.tenant_id, only_gaps=False, limit=MOST_SHOWN)
    rows: Sequence[Mapping[str, Any]] = report["equations"]
    gaps = [{**row, "hour": datetime.fromisoformat(row["hour"])} for row in rows if row["gaps"]]
    newest = max((datetime.fromisoformat(row["checked_at"]) for row in rows), default=None)
    examined = len({row["hour"] for row in rows})
    shown = {"sums": _sums(rows), "gaps": gaps, "examined": examined, "newest": newest, "complete": report["complete"]}
    return render(request, "ledger.html", caller, hours=hours, **shown)


def _sums(rows: Sequence[Mapping[str, Any]]) -> list[HopSum]:
    expected: Counter[str] = Counter()
    gaps: Counter[str] = Counter()
    for row in rows:
        expected[row["hop"]] += row["expected"]
        gaps[row["hop"]] += row["gaps"]
    return [HopSum(hop, expected[hop], gaps[hop]) for hop in Hop]
