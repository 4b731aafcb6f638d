"""Customer events are redacted, and those of the forgotten are left out, before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.voc import TIMESTAMP, call_value
from voc_stream.clients.forgotten_store import ForgottenSubject
from voc_stream.errors import OutageError
from voc_stream.events.voc import CallEvent, decode_voc
from voc_stream.nlp.redaction import Redactor
from voc_stream.runtime.window_lane import FORGOTTEN
from voc_stream.security.vault import Vault
from voc_stream.services.event_privacy import AWAY_SECONDS, BEGIN_SECONDS, FRESH_SECONDS, STALE_SECONDS, EventPrivacy

VAULT = Vault({"k": bytes(32)}, "k")


class Told:
    def __init__(self, *subjects: ForgottenSubject) -> None:
        self.subjects, self.asked = list(subjects), 0
        self.error: OutageError | None = None

    async def news(self) -> Sequence[ForgottenSubject]:
        self.asked += 1
        if self.error:
            raise self.error
        return self.subjects


async def cleaned(store: Told, *values: bytes) -> tuple[list[bytes], list[CallEvent]]:
    privacy = EventPrivacy(decode_voc, Redactor(), VAULT, store)
    await privacy.refresh()
    events = [decode_voc(value) for value in values]
    done = await privacy.clean(events, values)
    return done, [event for event in events if isinstance(event, CallEvent)]


async def test_payload_and_event_lose_the_same_words_and_an_id_that_is_a_number_becomes_a_pseudonym() -> None:
    plain, personal = call_value(1, transcript="Thank you."), call_value(2, transcript="call 415-555-0123", customer_id="+14155550123")
    (first, second), events = await cleaned(Told(), plain, personal)
    assert first is plain
    assert (events[1].transcript, events[1].customer_id) == ("call [phone]", VAULT.reference("+14155550123", "acme"))
    assert decode_voc(second) == events[1]


async def test_what_happened_before_somebody_was_forgotten_is_left_out_and_what_comes_later_is_not() -> None:
    told = Told(
        ForgottenSubject("acme", "customer", VAULT.reference("k1", "acme"), TIMESTAMP),
        ForgottenSubject("acme", "call", "c9", TIMESTAMP),
        ForgottenSubject("initech", "tenant", "", TIMESTAMP),
    )
    values = [
        call_value(1, transcript="Hello"),
        call_value(2, timestamp=TIMESTAMP + timedelta(seconds=1)),
        call_value(3, call_id="c9", customer_id="k2", timestamp=TIMESTAMP + timedelta(days=1)),
        call_value(4, tenant_id="globex"),
        call_value(5, tenant_id="initech"),
        call_value(6, customer_id="k2", call_id="c2"),
    ]
    done, events = await cleaned(told, *values)
    assert [value == FORGOTTEN for value in done] == [True, False, True, False, True, False]
    assert events[0].transcript is None


async def test_news_are_asked_for_once_in_a_while() -> None:
    store, now = Told(), [0.0]
    privacy = EventPrivacy(decode_voc, Redactor(), VAULT, store, clock=lambda: now[0])
    for at in (0.0, FRESH_SECONDS / 2, FRESH_SECONDS):
        now[0] = at
        await privacy.refresh()
    assert store.asked == 2


async def test_while_postgresql_is_away_what_is_known_is_enough_for_a_while_and_it_is_asked_now_and_then() -> None:
    store, now = Told(), [0.0]
    privacy = EventPrivacy(decode_voc, Redactor(), VAULT, store, clock=lambda: now[0])
    await privacy.refresh()
    store.error = OutageError("postgres", "refused")
    for at in (10.0, 11.0, 10.0 + AWAY_SECONDS):
        now[0] = at
        await privacy.refresh()
    assert store.asked == 3, "the first, and one each AWAY_SECONDS"

    now[0] = STALE_SECONDS + 1
    with pytest.raises(OutageError):
        await privacy.refresh()
    store.error = None
    await privacy.refresh()


async def test_a_worker_that_never_knew_who_was_forgotten_waits() -> None:
    store = Told()
    store.error = OutageError("postgres", "refused")
    with pytest.raises(OutageError):
        await EventPrivacy(decode_voc, Redactor(), VAULT, store).refresh()


async def test_it_learns_who_was_forgotten_before_the_first_event_comes_however_long_postgresql_is_away() -> None:
    store, rests = Told(), list[float]()
    store.error = OutageError("postgres", "refused")

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            store.error = None

    await EventPrivacy(decode_voc, Redactor(), VAULT, store, sleep=rest).begin()
    assert (store.asked, rests) == (4, [BEGIN_SECONDS] * 3)
