"""Forgetting reaches what belongs to a customer's calls, and a replay brings nothing back."""

from __future__ import annotations

import msgspec
import pytest

from tests.calls import audio_ready, downloaded, enriched, enriched_call, scored, scoring_result
from tests.integration.privacy.conftest import Kept, Places
from tests.voc import TIMESTAMP, call_value
from voc_stream.clients.call_privacy import Standing
from voc_stream.clients.forgotten_store import ForgottenStore
from voc_stream.clients.restriction_store import RestrictionStore, Subject
from voc_stream.events.voc import decode_voc
from voc_stream.nlp.redaction import Redactor
from voc_stream.runtime.window_lane import FORGOTTEN
from voc_stream.services.event_privacy import EventPrivacy
from voc_stream.services.forgetting import LegalHoldError
from voc_stream.stages.changes import Enriched

PHONE = "+14155550123"
CALL = enriched_call()
ORIGINAL = b'{"language":"en","turns":[{"speaker":"customer","start":0,"end":1,"text":"415-555-0123"}]}'


def change(kept: Kept, call_id: str = CALL.call_id, customer: str = PHONE) -> Enriched:
    sealed = kept.vault.seal("name=Jane Roe;card=4111111111111111", bound_to=("calls.raw", "udfs", call_id))
    return enriched(enriched_call(call_id), customer=customer, sealed_udfs=sealed)


async def scored_call(places: Places) -> None:
    """Bring a call all the way, with a recording that was stored twice."""
    await places.kept.store.apply([change(places.kept)])
    key = audio_ready().s3_key
    for _ in range(2):
        await places.objects.put_bytes(key, b"RIFF", content_type="audio/wav", metadata={}, tags={})
    await places.objects.put_bytes("transcripts/x.json", b"{}", content_type="application/json", metadata={}, tags={})
    assert await places.kept.privacy.keep_original(CALL.call_id, ORIGINAL)
    result = msgspec.structs.replace(scoring_result(), transcript_key="transcripts/x.json")
    await places.kept.store.apply([downloaded(), scored(result)])
    await places.warehouse.insert_scores([result], "t")


async def test_everything_of_a_customer_goes_and_a_replay_of_every_topic_brings_nothing_back(places: Places) -> None:
    await scored_call(places)
    (sealed,) = await places.kept.rows("SELECT sealed, key_id FROM original_transcript")
    assert await places.kept.originals.original_transcript("acme", CALL.call_id) == ORIGINAL
    assert await places.kept.originals.original_transcript("globex", CALL.call_id) is None
    assert await places.kept.privacy.names(CALL.call_id, "") == ["Jane Roe"]

    done = await places.forgetting.forget("acme", PHONE)
    assert (done.calls, done.objects, done.keys, done.call_rows, done.held) == (1, 3, 1, 1, ())
    for table in ("call", "audio_asset", "scoring_result", "customer_pii", "original_transcript", "call_event"):
        assert await places.kept.rows(f"SELECT * FROM {table}") == []  # noqa: S608 - our own names
    assert await places.objects.head(audio_ready().s3_key) is None
    assert await places.kept.rows("SELECT wrapped FROM customer_key WHERE key_id = $1", sealed[1]) == [(None,)]

    # calls.polled and calls.raw again: neither before nor in the transaction itself
    assert await places.kept.privacy.standings([CALL], [PHONE]) == [Standing(forgotten=True)]
    await places.kept.store.apply([change(places.kept)])
    assert await places.kept.rows("SELECT call_id FROM call") == []
    # calls.enriched, audio.ready and scoring.results again
    for record in (CALL, audio_ready(), scoring_result()):
        assert await places.kept.privacy.standing(record) == Standing(forgotten=True)
    assert not await places.kept.privacy.keep_original(CALL.call_id, ORIGINAL)
    # voc.* again
    events = EventPrivacy(decode_voc, Redactor(), places.kept.vault, ForgottenStore(places.kept.db))
    await events.refresh()
    values = [
        call_value(1, call_id=CALL.call_id, customer_id=None),
        call_value(2, call_id="other", customer_id=PHONE, timestamp=TIMESTAMP),
        call_value(3, call_id="other", customer_id="k2"),
    ]
    cleaned = await events.clean([decode_voc(value) for value in values], values)
    assert [value == FORGOTTEN for value in cleaned] == [True, True, False]
    # again, and nothing is left to do
    again = await places.forgetting.forget("acme", PHONE)
    assert (again.calls, again.objects, again.keys) == (0, 0, 0)


async def test_another_customer_keeps_its_key_and_its_calls(places: Places) -> None:
    await places.kept.store.apply([change(places.kept), change(places.kept, "700000000000002", "+14155550199")])
    await places.forgetting.forget("acme", PHONE)
    assert await places.kept.rows("SELECT call_id FROM call") == [("700000000000002",)]
    assert await places.kept.privacy.names("700000000000002", "") == ["Jane Roe"]


async def test_a_legal_hold_on_one_of_its_calls_stops_a_customer_s_forgetting_before_anything_is_deleted(places: Places) -> None:
    await scored_call(places)
    holds = RestrictionStore(places.kept.db)
    await holds.restrict("legal_hold", Subject("acme", "call", CALL.call_id), "claim 7", "jane")
    for customer in (PHONE, None):
        with pytest.raises(LegalHoldError, match="claim 7"):
            await places.forgetting.forget("acme", customer)
    assert await places.kept.originals.original_transcript("acme", CALL.call_id) == ORIGINAL
    assert await places.kept.rows("SELECT * FROM forgotten") == []
    assert await holds.held_tenants() == {"acme"}
    assert await holds.lift("legal_hold", Subject("acme", "call", CALL.call_id), "jane")
    assert (await places.forgetting.forget("acme", PHONE)).calls == 1
    actions = [row[0] for row in await places.kept.rows("SELECT action FROM audit_log ORDER BY id")]
    assert actions == ["legal_hold set", "legal_hold lifted", "forget begun", "forgotten"]


async def test_who_must_not_be_scored_is_known_by_customer_call_or_tenant(kept: Kept) -> None:
    await kept.store.apply([change(kept)])
    flags = RestrictionStore(kept.db)
    for scope, subject in (("customer", kept.vault.reference(PHONE, "acme")), ("call", CALL.call_id), ("tenant", "")):
        named = Subject("acme", scope, subject)  # type: ignore[arg-type]
        await flags.restrict("do_not_score", named, f"by {scope}", "jane")
        assert await kept.privacy.standing(CALL) == Standing(do_not_score=f"by {scope}")
        assert (await kept.privacy.standing(enriched_call("9", tenant_id="globex"))).do_not_score is None
        assert await flags.lift("do_not_score", named, "jane")
    assert await kept.privacy.standing(CALL) == Standing()
