-- How partitions grow (docs/partitions.md): one row for each time. While one has no end, no worker may work.
-- depends: 202611221621_forgotten_calls

CREATE TABLE partition_growth (
    id             bigint       GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    family         varchar(32)  NOT NULL,
    from_count     integer      NOT NULL,
    to_count       integer      NOT NULL,
    step           varchar(32)  NOT NULL,
    ends           jsonb        NOT NULL,
    actor          varchar(128) NOT NULL,
    finished_at    timestamptz,
    created_at     timestamptz  NOT NULL DEFAULT now(),
    updated_at     timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT partition_growth_grows CHECK (from_count BETWEEN 1 AND to_count)
);

COMMENT ON COLUMN partition_growth.step IS 'The last one that is done.';
COMMENT ON COLUMN partition_growth.ends IS 'Topic to its partitions'' end offsets, in order, when everything was drained: what is beyond came later.';

CREATE UNIQUE INDEX partition_growth_one ON partition_growth (family) WHERE finished_at IS NULL;

CREATE TRIGGER partition_growth_touch BEFORE UPDATE ON partition_growth
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_updated_at();
