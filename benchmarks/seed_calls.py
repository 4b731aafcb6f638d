"""Calls in PostgreSQL as a contact centre of months would have them, for `make bench-web` and for whoever looks at plans.

    python -m benchmarks.seed_calls --calls 1000000 --days 90

writes into POSTGRES_DSN, which must be migrated and should be a database of its own: rows are added, none is removed. Half of the calls are of
`acme`. The newest calls (`--whole`) also have what one call's page shows: recording, result with evidence, composite and timeline; no audio in S3.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import asyncpg

from voc_stream.settings import load_settings

BIG_TENANT = "acme"
BATCH = 100_000

# Uneven as life is: agents and topics have few or many calls; one in two hundred failed.
_CALLS = """
INSERT INTO call (call_id, tenant_id, started_at, ended_at, agent_id, customer_ref, skill, service, switch_call_id, status, status_reason,
                  event_ts, ingest_uuid, score, scored_at, scored_delay, sentiment, composite, topic)
SELECT
    call_id, tenant_id, started_at, ended_at, agent_id, md5((n % 400000)::text), skill, tenant_id || '-support',
    CASE WHEN n % 20 < 2 THEN 's' || n / 20 ELSE '' END,
    status, CASE status WHEN 'ERROR' THEN 'the recording is not audio' WHEN 'NOT_SCORABLE' THEN 'silent' END,
    ended_at + interval '40 seconds', gen_random_uuid(),
    CASE WHEN status = 'SCORED' THEN score END,
    CASE WHEN status IN ('SCORED', 'NOT_SCORABLE') THEN ended_at + delay * interval '1 second' END,
    CASE WHEN status IN ('SCORED', 'NOT_SCORABLE') THEN delay END,
    CASE WHEN status = 'SCORED' THEN sentiment END,
    CASE WHEN status = 'SCORED' THEN round((0.7 * score + 15 * (1 + sentiment))::numeric, 2) END,
    CASE WHEN status = 'SCORED' THEN topic END
FROM (
    SELECT
        n,
        'b' || lpad(n::text, 12, '0') AS call_id,
        CASE WHEN r[1] < 0.5 THEN 'acme' ELSE 'tenant' || floor(r[1] * 20)::int - 10 END AS tenant_id,
        $3::timestamptz + (n::double precision / $4) * $5::interval AS started_at,
        $3::timestamptz + (n::double precision / $4) * $5::interval + (20 + 600 * r[2] * r[2]) * interval '1 second' AS ended_at,
        'agent' || 1000 + floor(300 * r[3] * r[3])::int AS agent_id,
        (ARRAY['billing', 'support', 'sales', 'retention'])[1 + floor(4 * r[4])::int] AS skill,
        CASE WHEN r[5] < 0.96 THEN 'SCORED' WHEN r[5] < 0.995 THEN 'NOT_SCORABLE' WHEN r[5] < 0.998 THEN 'ERROR' ELSE 'MISSING' END AS status,
        round((100 - 45 * (r[6] + r[7]) / 2 - 30 * r[3] * r[6])::numeric, 2)::double precision AS score,
        round((r[8] + r[9] - 1)::numeric, 4)::double precision AS sentiment,
        40 + 90 * r[9] * r[9] AS delay,
        (ARRAY['account', 'agent', 'billing', 'billing', 'billing', 'cancellation', 'complaint', 'delivery', 'praise', 'technical', 'technical',
               'other'])[1 + floor(12 * r[10])::int] AS topic
    FROM generate_series($1::bigint, $2::bigint) AS n,
         LATERAL (SELECT array_agg(random()) AS r FROM generate_series(1, 10) WHERE n > 0) AS dice
) AS made
ORDER BY n
"""

_NEWEST = "CREATE TEMP TABLE newest AS SELECT * FROM call ORDER BY started_at DESC, id DESC LIMIT $1"
_WHOLE = (
    """
    INSERT INTO audio_asset (call_id, s3_key, sha256, codec, sample_rate, channels, duration_seconds, size_bytes, ingest_delay_ms, status,
                             event_ts, ingest_uuid)
    SELECT call_id, 'raw/seeded/' || call_id || '.wav', repeat('0', 64), 'pcm_s16le', 8000, 2, extract(epoch FROM ended_at - started_at),
           32000 * extract(epoch FROM ended_at - started_at), 30000, 'READY', event_ts, ingest_uuid
    FROM newest WHERE status IN ('SCORED', 'NOT_SCORABLE')
    """,
    """
    INSERT INTO scoring_result (call_id, model_version, asr_model, outcome, reason, score, details, latency_ms, duration_seconds, talk_seconds,
                                scored_at, event_ts, ingest_uuid)
    SELECT call_id, 'rubric-1+none', 'none', status, status_reason, score,
           jsonb_build_object('detail', NULL, 'breakdown', (
               SELECT jsonb_agg(jsonb_build_object(
                   'item', item, 'points', 7, 'max_points', 10, 'applicable', true, 'detail', 'as the rubric says',
                   'evidence', jsonb_build_array(jsonb_build_object('quote', 'good morning', 'start', 0.5, 'end', 1.75, 'speaker', 'agent'))))
               FROM unnest(ARRAY['greeting', 'listening', 'holding', 'pace', 'closing']) AS item)),
           420, extract(epoch FROM ended_at - started_at), 60, scored_at, event_ts, ingest_uuid
    FROM newest WHERE status IN ('SCORED', 'NOT_SCORABLE')
    """,
    """
    INSERT INTO call_composite (tenant_id, call_id, quality, model_version, scored_at, sentiment, sentiment_source, heard_at, heard_event, weight,
                                weights_version, topic)
    SELECT tenant_id, call_id, score, 'rubric-1+none', scored_at, sentiment, 'rule', ended_at, ingest_uuid, 0.7, 1, topic
    FROM newest WHERE status = 'SCORED'
    """,
    """
    INSERT INTO call_event (call_id, at, stage, what, status, topic, partition, "offset")
    SELECT call_id, ended_at + step.seconds * scored_delay / 40 * interval '1 second', step.stage, step.what, step.status, step.topic, 0, newest.id
    FROM newest, (VALUES (30, 'enrich', 'enriched', 'PENDING_DOWNLOAD', 'calls.raw'), (33, 'download', 'downloaded', 'DOWNLOADED', 'calls.enriched'),
                         (40, 'score', 'scored', 'SCORED', 'audio.ready'), (41, 'export', 'exported', 'SCORED', 'scoring.results'))
        AS step (seconds, stage, what, status, topic)
    WHERE newest.status = 'SCORED'
    """,
)
_TOLD_BY = {"scoring_result": "scoring_result_told", "call_composite": "call_composite_told"}


async def seed(dsn: str, *, calls: int, days: int, whole: int) -> None:
    """Add calls that started in the last days, evenly.

    Args:
        dsn: of a migrated database.
        calls: how many.
        days: over which they are spread, up to now.
        whole: so many of the newest get recordings, results, composites and timelines.
    """
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    try:
        await connection.execute("SELECT setseed(0.5)")
        first: int = await connection.fetchval("SELECT coalesce(max(id), 0) FROM call")
        start = await connection.fetchval("SELECT now() - make_interval(days => $1)", days)
        length = await connection.fetchval("SELECT make_interval(days => $1)", days)
        for begin in range(first + 1, first + calls + 1, BATCH):
            end = min(begin + BATCH - 1, first + calls)
            await connection.execute(_CALLS, begin, end, start, float(first + calls), length, timeout=None)
        await connection.execute(_NEWEST.replace("$1", str(int(whole))))
        async with connection.transaction():
            # The calls have it already.
            for table, trigger in _TOLD_BY.items():
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            for statement in _WHOLE:
                await connection.execute(statement)
            for table, trigger in _TOLD_BY.items():
                await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
        await connection.execute("VACUUM (ANALYZE) call")
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def main() -> None:
    """Seed what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--whole", type=int, default=10_000)
    given = parser.parse_args()
    began = time.perf_counter()
    asyncio.run(seed(load_settings().postgres_dsn.get_secret_value(), calls=given.calls, days=given.days, whole=given.whole))
    print(f"{given.calls} calls over {given.days} days, {given.whole} of them whole, in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
