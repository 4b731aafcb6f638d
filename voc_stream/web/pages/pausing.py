"""`/desk/pausing`: what stands still, by an operator's order or by itself, and new orders (docs/pausing.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from voc_stream.clients.pause_store import PauseStore
from voc_stream.stages.pause_orders import StageName
from voc_stream.web.api import pauses
from voc_stream.web.api.forms import TENANT
from voc_stream.web.desk import AtDesk
from voc_stream.web.pages.render import render
from voc_stream.web.problems import Problem
from voc_stream.web.who import Operator

router = APIRouter(prefix="/desk/pausing", include_in_schema=False)


def _or_none(text: Any) -> Any:
    return text or None


class Asked(BaseModel):
    """The form of an order; what is left empty means every stage, or every tenant."""

    model_config = ConfigDict(extra="ignore")

    action: Literal["pause", "resume"]
    stage: Annotated[StageName | None, BeforeValidator(_or_none)] = None
    whose: Annotated[Annotated[str, Field(pattern=TENANT)] | None, BeforeValidator(_or_none)] = None
    reason: Annotated[str, Field(max_length=500)] = ""

    def order(self) -> pauses.Order:
        """Return it as the API takes it, the reason in one line.

        Raises:
            Problem: 422, it names neither a stage nor a tenant.
        """
        if self.stage is None and self.whose is None:
            raise Problem(422, "name a stage, a tenant or both")
        named = {"stage": self.stage, "tenant_id": self.whose}
        return pauses.Order(action=self.action, reason=" ".join(self.reason.split()), **{name: value for name, value in named.items() if value})


@router.get("")
async def pausing(request: Request, caller: Operator, desk: AtDesk) -> HTMLResponse:
    """Show the orders in force, and the form."""
    shown = await pauses.shown(caller, desk, PauseStore(desk.db))
    known = sorted(desk.tenants.current().known) if caller.tenant_id is None else [caller.tenant_id]
    return render(request, "pausing.html", caller, shown=shown, stages=get_args(StageName), known=known)


@router.post("")
async def order(caller: Operator, desk: AtDesk, asked: Annotated[Asked, Form()]) -> RedirectResponse:
    """Pause or resume; who is of one tenant orders for that tenant only."""
    await pauses.ordered(caller, PauseStore(desk.db), asked.order())
    return RedirectResponse("/desk/pausing", 303)
