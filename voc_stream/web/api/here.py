"""What the routes of the API have at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from voc_stream.events.base import EARLIEST, LATEST
from voc_stream.services.originals import Originals
from voc_stream.services.readings import Readings
from voc_stream.stages.days import MOST_DAYS, Days
from voc_stream.web.desk import Desk, desk_of

_NAME = "readings"

TenantId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
CallId: TypeAlias = Annotated[str, Path(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9._:-]+$", description="The call's.")]
# Neither holds what nobody can type.
PlainText: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
AgentId: TypeAlias = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[^\x00-\x1f\x7f]+$")]
Cursor: TypeAlias = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9_-]+$")]
Moment: TypeAlias = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]
Form: TypeAlias = Literal["json", "csv"]

Rows = TypeVar("Rows", bound=Sequence[BaseModel])

# An answer that may also be a table.
OR_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The rows, as JSON or with `format=csv` as CSV.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class OfTenant(BaseModel):
    """What every question may say; one that says anything else is refused, so that no filter is passed over for being misspelt."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    tenant_id: TenantId | None = None
    """Whose; needed by a credential for all tenants only."""


class OfDays(OfTenant):
    """A question about days."""

    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 7
    """How many, today (UTC) included; they are compared with as many before."""


class OfDaysInForm(OfDays):
    """A question about days that may be answered by a table."""

    format: Form = "json"


AskedTenant: TypeAlias = Annotated[OfTenant, Query()]
AskedDays: TypeAlias = Annotated[OfDays, Query()]
AskedDaysInForm: TypeAlias = Annotated[OfDaysInForm, Query()]


def readings_of(request: Request) -> Readings:
    """Return the readings of the application that serves the request."""
    return readings_at(desk_of(request))


def readings_at(desk: Desk) -> Readings:
    """Return the readings of a desk, made at the first use."""
    found: Readings | None = desk.parts.get(_NAME)
    if found is None:
        found = desk.parts[_NAME] = Readings(desk.reader, desk.warehouse, desk.objects, Originals(desk.db, desk.vault))
    return found


async def _readings(request: Request) -> Readings:
    return readings_of(request)


AtReadings: TypeAlias = Annotated[Readings, Depends(_readings)]


def up_to_now(count: int, zone: tzinfo = UTC) -> Days:
    """Return so many days, of which today is the last: by the API's reckoning UTC's, on pages the reader's."""
    return Days(count, datetime.now(zone).date(), zone)


async def one_page(rows: Rows) -> AsyncIterator[Rows]:
    """Yield rows that are all there."""
    yield rows
