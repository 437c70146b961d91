-- Addresses to which events are sent. Secrets are kept as they are: they sign each message.
CREATE TABLE webhooks (
    id TEXT COLLATE "C" PRIMARY KEY,
    scope TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    format TEXT COLLATE "C" NOT NULL,
    -- A JSON array; an empty one is all types.
    types TEXT COLLATE "C" NOT NULL,
    is_enabled BIGINT NOT NULL,
    disabled_reason TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    old_secret_until BIGINT,
    -- The attempts that have failed in a row.
    failing_since BIGINT,
    attempts BIGINT NOT NULL,
    retry_at BIGINT,
    secret TEXT COLLATE "C" NOT NULL,
    old_secret TEXT COLLATE "C",
    -- The events up to this position are done with.
    position BIGINT NOT NULL,
    -- Up to this position there are events for it, if it is beyond the other one.
    noticed BIGINT NOT NULL,
    -- The server that sends them at present.
    lease_id BIGINT,
    lease_until BIGINT,
    write_id BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX webhooks_by_scope ON webhooks (scope, (id || ''));

-- The sender asks which have something to send.
CREATE INDEX webhooks_due ON webhooks ((COALESCE(retry_at, 0)))
    WHERE is_enabled = 1 AND noticed > position;

-- And from where on events may not have been looked at.
CREATE INDEX webhooks_by_position ON webhooks (position) WHERE is_enabled = 1;

-- The last messages of each webhook, by the position of their first event.
CREATE TABLE webhook_deliveries (
    webhook_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    event_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    attempted_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    result TEXT COLLATE "C" NOT NULL,
    status BIGINT,
    error TEXT COLLATE "C",
    PRIMARY KEY (webhook_id, position)
);

-- Up to where it was noticed which webhooks want an event: one row for all servers.
CREATE TABLE webhook_cursor (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL
);
