"""Which dead letters a page is about: its query, and the hidden fields of its forms."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from voc_stream.clients.letter_rows import LetterFilter, State
from voc_stream.web.api.forms import TENANT, bounded
from voc_stream.web.api.letter_forms import LetterId
from voc_stream.web.who import Caller


def _or_none(text: Any) -> Any:
    """Take what a form leaves empty for what does not matter."""
    return text or None


_Word = Annotated[Annotated[str, Field(max_length=249)] | None, BeforeValidator(_or_none)]
_Tenant = Annotated[Annotated[str, Field(pattern=TENANT)] | None, BeforeValidator(_or_none)]
_State = Annotated[State | None, BeforeValidator(_or_none)]
_Id = Annotated[LetterId | None, BeforeValidator(_or_none)]


class Choice(BaseModel):
    """Letters by what they have in common; `whose` is a tenant, `id` one letter."""

    model_config = ConfigDict(extra="ignore")

    id: _Id = None
    fingerprint: _Word = None
    topic: _Word = None
    stage: _Word = None
    whose: _Tenant = None

    def where(self, caller: Caller, state: State | None = None) -> LetterFilter:
        """Return the filter; who is of one tenant sees that tenant's letters only.

        Raises:
            NotFound: another tenant's are asked for.
        """
        return LetterFilter(
            ids=() if self.id is None else (self.id,),
            fingerprint=self.fingerprint,
            topic=self.topic,
            stage=self.stage,
            tenant_id=bounded(caller, self.whose),
            state=state,
        )

    @property
    def chooses(self) -> bool:
        """Whether anything is asked for: nothing is done to all letters by mistake."""
        return any((self.id, self.fingerprint, self.topic, self.stage, self.whose))

    def query(self) -> dict[str, object]:
        """Return what is asked for, for a link."""
        return self.model_dump(include=set(Choice.model_fields), exclude_none=True)


class Listed(Choice):
    """A page of a list: of letters in one state, from the one after `after` on."""

    state: _State = None
    after: _Id = None
