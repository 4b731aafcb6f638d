-- Composite scores (spec section 2.6): the quality of a call and the feeling of its customer meet here, whichever comes first.
-- depends: 202611221000_alerts

CREATE TABLE call_composite (
    tenant_id        varchar(64)      NOT NULL,
    call_id          varchar(64)      NOT NULL,
    quality          numeric(5, 2),
    model_version    varchar(128)     COLLATE "C",
    scored_at        timestamptz,
    sentiment        double precision,
    sentiment_source varchar(64),
    heard_at         timestamptz,
    heard_event      uuid,
    weight           numeric(4, 3)    NOT NULL,
    weights_version  integer          NOT NULL,
    composite        numeric(5, 2)    GENERATED ALWAYS AS (round(weight * quality + (1 - weight) * 50 * (1 + sentiment::numeric), 2)) STORED,
    revision         bigint           NOT NULL DEFAULT 1,
    created_at       timestamptz      NOT NULL DEFAULT now(),
    updated_at       timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, call_id),
    CONSTRAINT call_composite_quality_in_range CHECK (quality BETWEEN 0 AND 100),
    CONSTRAINT call_composite_sentiment_in_range CHECK (sentiment BETWEEN -1 AND 1),
    CONSTRAINT call_composite_weight_in_range CHECK (weight BETWEEN 0 AND 1),
    CONSTRAINT call_composite_quality_is_of_a_model CHECK (num_nulls(model_version, scored_at) IN (0, 2) AND (quality IS NULL OR scored_at IS NOT NULL)),
    CONSTRAINT call_composite_sentiment_is_of_an_event CHECK (num_nulls(sentiment, sentiment_source, heard_at, heard_event) IN (0, 4))
);
COMMENT ON TABLE call_composite IS 'Also holds what has no other half yet; sentiments that never meet a score are removed after some days.';
COMMENT ON COLUMN call_composite.quality IS 'Of the newest result; NULL before the first, and where the newest says NOT_SCORABLE.';
COMMENT ON COLUMN call_composite.revision IS 'Counts the changes: the version of the row in ClickHouse.';
CREATE INDEX call_composite_unmet ON call_composite (created_at) WHERE scored_at IS NULL;

CREATE FUNCTION revise_composite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;

CREATE TRIGGER call_composite_revised BEFORE UPDATE ON call_composite
    FOR EACH ROW WHEN (
        (OLD.quality, OLD.model_version, OLD.scored_at, OLD.sentiment, OLD.sentiment_source, OLD.heard_at, OLD.heard_event, OLD.weight, OLD.weights_version)
        IS DISTINCT FROM
        (NEW.quality, NEW.model_version, NEW.scored_at, NEW.sentiment, NEW.sentiment_source, NEW.heard_at, NEW.heard_event, NEW.weight, NEW.weights_version)
    ) EXECUTE FUNCTION revise_composite();
