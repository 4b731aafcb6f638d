"""Every offset of a topic of customer events is accounted for, on Kafka, ClickHouse and PostgreSQL themselves."""

from __future__ import annotations

from tests.integration.completeness.world import World, gaps_by_subject
from tests.voc import call_value
from voc_stream.clients.voc_removal import Selection, VocRemoval
from voc_stream.stages.completeness import NOBODY, Hop, Remedy
from voc_stream.stages.ranges import ClaimId, Place, Seen, encode_row

_LETTER = """
INSERT INTO dead_letter (topic, partition, "offset", dlq_topic, dlq_partition, dlq_offset, written_at, stage, tenant_id, error_type, reason, stack,
                         fingerprint, retries, first_failed_at, last_failed_at, original_headers, requeues)
VALUES ($1, 0, $2, 'dlq', 0, $2, now(), 'voc', 'acme', 'malformed', 'not JSON', '', 'f', 0, now(), now(), 'v1.k', 0)
"""


async def test_every_offset_is_stored_a_duplicate_a_dead_letter_or_a_gap(here: World) -> None:
    topic, value = here.names.events, call_value(1, timestamp=here.hour)
    await here.stored(value)
    await here.stored(call_value(2, timestamp=here.hour, tenant_id="globex"))
    await here.write(topic, "k", value)  # 2: a duplicate
    await here.write(topic, "k", b"not JSON")  # 3: a dead letter
    await here.execute(_LETTER, topic, 3)
    await here.write(topic, "k", call_value(4, timestamp=here.hour))  # 4: lost
    await here.write(topic, "k", b"no event")  # 5: lost, and no event
    await here.write(topic, "k", call_value(6, timestamp=here.hour))  # 6: the ledger says that it was a duplicate; what it was one of is gone
    await here.stored(call_value(7, timestamp=here.hour), partition=1)
    await here.settle()
    await here.write(topic, "k", call_value(8, timestamp=here.hour), commit=False)
    place = Place("1", topic, 0)
    row = Seen(ClaimId(1, 1), 6, 6, 0, b"", b"")
    await here.producer.send_and_wait(f"{here.settings.kafka_group_id}-event-ranges-changelog", encode_row(row), row.key(place), partition=0)

    found = {each.tenant_id: each for each in await here.examined() if each.hop is Hop.STORE}

    assert {tenant: (each.left, dict(each.terms), each.gap_count) for tenant, each in found.items()} == {
        "acme": (6, {"stored": 2, "duplicates": 2, "dead letters": 1}, 1),
        "globex": (1, {"stored": 1}, 0),
        NOBODY: (2, {"on its way": 1}, 1),
    }
    gaps = gaps_by_subject(list(found.values()))
    assert {key: gap.remedy for key, gap in gaps.items()} == {(Hop.STORE, f"{topic}[0]@4"): Remedy.STORE, (Hop.STORE, f"{topic}[0]@5"): None}

    assert (await here.mended(list(gaps.values()))).done == {Remedy.STORE: 1}

    again = gaps_by_subject(await here.examined())
    assert set(again) == {(Hop.STORE, f"{topic}[0]@5")}
    assert await here.warehouse.view_differences() == []


async def test_what_was_forgotten_is_not_missing(here: World) -> None:
    await here.stored(call_value(1, timestamp=here.hour))
    await here.stored(call_value(2, timestamp=here.hour))
    await here.settle()
    await VocRemoval(here.warehouse).delete(Selection("kafka_offset = 0", {}))

    found = {each.tenant_id: each for each in await here.examined() if each.hop is Hop.STORE}

    assert {tenant: (dict(each.terms), each.gap_count) for tenant, each in found.items()} == {
        "acme": ({"stored": 1}, 0),
        NOBODY: ({"forgotten": 1}, 0),
    }
