-- A customer's conversation: the segments that one switch call was cut into by transfers and holds, in order, with one score.
-- depends: 202611220632_operations

CREATE VIEW conversation AS
WITH current_result AS (
    SELECT DISTINCT ON (call_id) call_id, score, coalesce(nullif(talk_seconds, 0), duration_seconds) AS weight
    FROM scoring_result
    ORDER BY call_id, scored_at DESC, id DESC
),
segment AS (
    SELECT
        call.*,
        CASE WHEN switch_call_id = '' THEN call.call_id END AS alone,
        result.score,
        result.weight AS scored_seconds
    FROM call
    LEFT JOIN current_result AS result USING (call_id)
)
SELECT
    tenant_id,
    nullif(switch_call_id, '') AS switch_call_id,
    array_agg(call_id ORDER BY started_at, call_id) AS call_ids,
    array_agg(agent_id ORDER BY started_at, call_id) AS agent_ids,
    array_agg(status ORDER BY started_at, call_id) AS statuses,
    count(*) AS segments,
    count(score) AS scored_segments,
    min(started_at) AS started_at,
    max(ended_at) AS ended_at,
    sum(scored_seconds) FILTER (WHERE score IS NOT NULL) AS scored_seconds,
    -- Weighted by talk time (by length where the scorer did not tell it); segments without a score have no weight, they are not zeros.
    round(
        (sum(score::double precision * scored_seconds) FILTER (WHERE score IS NOT NULL)
            / nullif(sum(scored_seconds) FILTER (WHERE score IS NOT NULL), 0))::numeric,
        2
    ) AS score
FROM segment
GROUP BY tenant_id, switch_call_id, alone;
