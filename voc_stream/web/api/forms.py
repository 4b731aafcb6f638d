"""The forms of what is asked: what a parameter may be, said once for the check and for the document."""

from __future__ import annotations

import re
from datetime import datetime
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

from voc_stream.web.problems import NotFound
from voc_stream.web.who import Caller

T = TypeVar("T")

TENANT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")


def _moment(value: Any) -> Any:
    """Take RFC 3339 only: pydantic also takes numbers, dates and times without a zone."""
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise ValueError("a time as in RFC 3339, with its zone: 2026-11-22T12:00:00Z")


def _number(value: Any) -> Any:
    """Take numbers only: pydantic also takes texts and truth values for whole numbers."""
    if isinstance(value, str | bool):
        raise ValueError("a whole number, not a text")  # noqa: TRY004 - pydantic tells of ValueErrors
    return value


class _NotNull:
    """Makes of `T | None` a form that knows no null: the attribute may be left out, and is None then."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (form,) = (each for each in get_args(source) if each is not NoneType)
        return handler.generate_schema(form)


TenantId = Annotated[str, StringConstraints(pattern=TENANT), Field(description="Letters, digits and ._-", examples=["tenant-01"])]
Word = Annotated[str, StringConstraints(min_length=1, max_length=249, pattern=r"^[^\x00-\x1f\x7f]+$")]
# For a body, where numbers are numbers; 7.0 is one, too. It comes after the bounds: before them, the document would not tell them.
WHOLE = BeforeValidator(_number)
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
# An attribute that may be left out, but not be null.
Maybe = Annotated[T | None, _NotNull()]


class Form(BaseModel):
    """What all forms have in common: nothing that they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def bounded(caller: Caller, asked: str | None) -> str | None:
    """Return whose data an operator sees: what is asked, None: everybody's; an operator of one tenant that tenant's only.

    Raises:
        NotFound: it is another tenant's.
    """
    if caller.tenant_id is None:
        return asked
    if asked is not None and asked != caller.tenant_id:
        raise NotFound
    return caller.tenant_id
