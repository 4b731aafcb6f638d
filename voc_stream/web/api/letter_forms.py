"""Which dead letters a request is about, and what is told of them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voc_stream.clients.letter_rows import LetterFilter, State
from voc_stream.runtime.letter_reading import StoredLetter
from voc_stream.services.reading_answers import Answer
from voc_stream.web.api.forms import WHOLE, Form, Maybe, Moment, TenantId, Word

MOST = 500
PAGE = 50

# What a number of JSON holds exactly.
MOST_ID = (1 << 53) - 1
LetterId = Annotated[int, Field(ge=1, le=MOST_ID)]
_IdInBody = Annotated[int, Field(ge=1, le=MOST_ID), WHOLE]
# Nothing is done to all letters by mistake.
_CHOICES = ("ids", "fingerprint", "topic", "stage", "tenant_id", "since", "until")


class _Choice(Form):
    """Which letters; what is left out does not matter."""

    fingerprint: Maybe[Word] = None
    """Equal for the same failure."""
    topic: Maybe[Word] = None
    """The topic in which the record was."""
    stage: Maybe[Word] = None
    tenant_id: Maybe[TenantId] = None
    since: Maybe[Moment] = None
    """Failed last at or after this."""
    until: Maybe[Moment] = None
    """Failed last before this."""

    def where(self, tenant_id: str | None, ids: list[int], state: State | None) -> LetterFilter:
        """Return the filter, of one tenant if it is given."""
        return LetterFilter(
            ids=tuple(ids),
            fingerprint=self.fingerprint,
            topic=self.topic,
            stage=self.stage,
            tenant_id=tenant_id,
            since=self.since,
            until=self.until,
            state=state,
        )


class LetterQuery(_Choice):
    """A list's query."""

    id: list[LetterId] = Field(default_factory=list, max_length=MOST)
    """May be repeated."""
    state: Maybe[State] = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = PAGE
    after: Maybe[LetterId] = None
    """The last one that is known: `next` of the page before."""


class LetterOrder(_Choice):
    """What an order is about: it must choose."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [name]} for name in _CHOICES]})

    ids: Maybe[Annotated[list[_IdInBody], Field(min_length=1, max_length=MOST)]] = None

    @model_validator(mode="after")
    def _chooses(self) -> Self:
        if all(getattr(self, name) is None for name in _CHOICES):
            raise ValueError(f"say which: {', '.join(_CHOICES)}")
        return self

    def of_open(self, tenant_id: str | None) -> LetterFilter:
        """Return the filter of open letters, of one tenant if it is given."""
        return self.where(tenant_id, self.ids or [], "open")


class LetterShown(Answer):
    """A dead letter without its original."""

    id: int
    state: State
    topic: str
    partition: int | None
    offset: int | None
    stage: str
    tenant_id: str | None
    call_id: str | None
    error_type: str
    reason: str
    fingerprint: str
    retries: int
    first_failed_at: datetime
    last_failed_at: datetime
    cut_from: int | None
    """Of an original that was too large to be kept, its size; it cannot be sent back."""
    requeues: int
    requeued_from: int | None


class LetterListed(LetterShown):
    """A dead letter in a list."""

    requeued_at: datetime | None


class LettersPage(Answer):
    """A page of letters, newest first."""

    letters: list[LetterListed]
    next: int | None
    """The `after` of the next page; null on the last one."""


class GroupShown(Answer):
    """Letters of the same failure."""

    fingerprint: str
    stage: str
    error_type: str
    reason: str
    """Of one of them."""
    count: int
    open: int
    tenants: int
    first: datetime
    last: datetime


class GroupsShown(Answer):
    """The same failures together, the latest first."""

    groups: list[GroupShown]


class AsText(BaseModel):
    """Bytes that are UTF-8."""

    text: str


class AsBase64(BaseModel):
    """Bytes that are not."""

    base64: str


Bytes = AsText | AsBase64 | None


class LetterWhole(LetterShown):
    """A dead letter with its original."""

    dlq_topic: str
    dlq_partition: int
    dlq_offset: int
    written_at: datetime
    stack: str
    key: Bytes
    value: Bytes
    headers: list[Annotated[list[str | AsText | AsBase64 | None], Field(min_length=2, max_length=2)]]
    """Name and value of each."""


def whole(letter: StoredLetter) -> LetterWhole:
    """Return a letter as it is shown."""
    known: dict[str, Any] = {name: getattr(letter, name) for name in LetterWhole.model_fields if name not in {"key", "value", "headers"}}
    headers = [[name, _bytes(value)] for name, value in letter.headers]
    return LetterWhole(**known, key=_bytes(letter.key), value=_bytes(letter.value), headers=headers)


def _bytes(data: bytes | None) -> Bytes:
    if data is None:
        return None
    try:
        return AsText(text=data.decode())
    except UnicodeDecodeError:
        return AsBase64(base64=base64.b64encode(data).decode())
