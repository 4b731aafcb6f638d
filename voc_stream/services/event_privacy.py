"""Customer events before anything is made of them: redacted, and without a word of those who were forgotten (docs/privacy.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from voc_stream.clients.forgotten_store import ForgottenSubject
from voc_stream.errors import RejectedError
from voc_stream.events.base import MalformedError
from voc_stream.events.voc import CallEvent, VocEvent
from voc_stream.logs import get_logger
from voc_stream.nlp.redaction import NOBODY, Names, Redactor
from voc_stream.nlp.redaction_payload import redact_payload
from voc_stream.nlp.redaction_prefilter import suspects
from voc_stream.runtime import metrics
from voc_stream.runtime.patience import PASSING
from voc_stream.runtime.window_lane import FORGOTTEN
from voc_stream.security.vault import NoKeyError, Vault

logger = get_logger(__name__)

# News of whom to forget are asked for no more often; `forget` waits longer before it deletes.
FRESH_SECONDS = 2.0
# While PostgreSQL is away windows go on with what they know, asking now and then, for no longer than this: who is forgotten is written there, too.
STALE_SECONDS = 900.0
AWAY_SECONDS = 15.0
BEGIN_SECONDS = 1.0
# So many are looked at together: a look costs a fifth of a millisecond besides them.
_SLICE = 1500
# After so many of the suspected ones, which take ten to a hundred times as long, the event loop goes on.
_READ = 100
_NO_KEY = "[customer]"

Decode = Callable[[bytes | None], VocEvent]


class TellsForgotten(Protocol):
    """Who knows who was forgotten."""

    async def news(self) -> Sequence[ForgottenSubject]:
        """Return who was forgotten since this was asked last."""


@dataclass(slots=True)
class _Tenant:
    until: datetime | None = None
    customers: dict[str, datetime] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)


class EventPrivacy:
    """Cleans windows of events.

    Args:
        decode: bytes to event.
        redactor: reads what is suspected.
        vault: makes pseudonyms of ids that are personal data themselves.
        store: who was forgotten.
        clock: monotonic seconds; replaced in tests.
        sleep: how to wait; replaced in tests.
    """

    def __init__(
        self,
        decode: Decode,
        redactor: Redactor,
        vault: Vault,
        store: TellsForgotten,
        clock: Callable[[], float] = time.monotonic,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._decode = decode
        self._redactor = redactor
        self._vault = vault
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._read_at: float | None = None
        self._failed_at: float | None = None
        self._asking = asyncio.Lock()
        self._tenants: dict[str, _Tenant] = {}

    async def begin(self) -> None:
        """Learn who was forgotten before the first event comes: from then on an outage of PostgreSQL stops nothing for a while."""
        while self._read_at is None:
            try:
                await self.refresh()
            except (*PASSING, RejectedError):
                # Its gate's probe says what is wrong; windows wait meanwhile.
                await self._sleep(BEGIN_SECONDS)

    async def refresh(self) -> None:
        """Learn who was forgotten, if that is not known from a moment ago; while PostgreSQL is away what was known is enough for STALE_SECONDS.

        Raises:
            OutsideError: PostgreSQL failed, and has for too long.
        """
        async with self._asking:
            if not self._knows_enough():
                await self._ask()

    def _knows_enough(self) -> bool:
        now = self._clock()
        if self._read_at is None:
            return False
        away = self._failed_at is not None and now - self._failed_at < AWAY_SECONDS and now - self._read_at < STALE_SECONDS
        return away or now - self._read_at < FRESH_SECONDS

    async def _ask(self) -> None:
        began = self._clock()
        try:
            news = await self._store.news()
        except PASSING as error:
            if self._read_at is None or self._clock() - self._read_at >= STALE_SECONDS:
                raise
            self._failed_at = self._clock()
            logger.warning("who was forgotten is known from a while ago", seconds=round(self._failed_at - self._read_at), reason=error.reason)
            return
        for each in news:
            tenant = self._tenants.setdefault(each.tenant_id, _Tenant())
            match each.scope:
                case "tenant":
                    tenant.until = each.until
                case "customer":
                    tenant.customers[each.subject] = each.until
                case _:
                    tenant.calls.add(each.subject)
        self._read_at, self._failed_at = began, None

    async def clean(self, events: list[VocEvent], values: Sequence[bytes]) -> list[bytes]:
        """Return the values as they may be stored, FORGOTTEN for those that may not; the events are replaced likewise, in their places."""
        cleaned: list[bytes] = []
        for start in range(0, len(values), _SLICE):
            portion = list(values[start : start + _SLICE])
            for number, place in enumerate(suspects(portion), 1):
                new = self._redacted(events[start + place], portion[place])
                if new is not portion[place]:
                    portion[place], events[start + place] = new, self._read_again(new, events[start + place])
                    metrics.EVENTS_REDACTED.inc()
                if not number % _READ:
                    await asyncio.sleep(0)
            if self._tenants:
                self._forget(events, portion, start)
            cleaned += portion
            await asyncio.sleep(0)
        return cleaned

    def _read_again(self, value: bytes, event: VocEvent) -> VocEvent:
        try:
            return self._decode(value)
        except MalformedError:  # a mark stood where its member's type has no room for one
            return msgspec.structs.replace(event, transcript=None, turns=None) if type(event) is CallEvent else event

    def _redacted(self, event: VocEvent, value: bytes) -> bytes:
        customer, replaced = event.customer_id, {}
        if customer is not None and (customer.startswith("+") or "@" in customer):
            replaced[customer] = self._pseudonym(event.tenant_id, customer)
        names = NOBODY if customer is None or " " not in customer else Names([customer])
        return redact_payload(value, self._redactor, names, replaced)

    def _forget(self, events: list[VocEvent], values: list[bytes], start: int) -> None:
        for place in range(len(values)):
            event = events[start + place]
            tenant = self._tenants.get(event.tenant_id)
            if tenant is not None and self._was_forgotten(event, tenant):
                values[place] = FORGOTTEN
                if type(event) is CallEvent:
                    events[start + place] = msgspec.structs.replace(event, transcript=None, turns=None)

    def _was_forgotten(self, event: VocEvent, tenant: _Tenant) -> bool:
        if (tenant.until is not None and event.timestamp <= tenant.until) or event.call_id in tenant.calls:
            return True
        if event.customer_id is None or not tenant.customers:
            return False
        either = (tenant.customers.get(event.customer_id), tenant.customers.get(self._pseudonym(event.tenant_id, event.customer_id)))
        return any(until is not None and event.timestamp <= until for until in either)

    def _pseudonym(self, tenant_id: str, customer: str) -> str:
        try:
            return self._vault.reference(customer, tenant_id)
        except NoKeyError:
            return _NO_KEY
