-- Made by `cargo xtask edge migrations` from the store's migration of the same name.

-- Addresses to which events are sent. Secrets are kept as they are: they sign each message.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    url TEXT NOT NULL,
    format TEXT NOT NULL,
    -- A JSON array; an empty one is all types.
    types TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    disabled_reason TEXT,
    created_at INTEGER NOT NULL,
    old_secret_until INTEGER,
    -- The attempts that have failed in a row.
    failing_since INTEGER,
    attempts INTEGER NOT NULL,
    retry_at INTEGER,
    secret TEXT NOT NULL,
    old_secret TEXT,
    -- The events up to this position are done with.
    position INTEGER NOT NULL,
    -- Up to this position there are events for it, if it is beyond the other one.
    noticed INTEGER NOT NULL,
    -- The server that sends them at present.
    lease_id INTEGER,
    lease_until INTEGER,
    write_id INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX webhooks_by_scope ON webhooks (scope, id);

-- The sender asks which have something to send.
CREATE INDEX webhooks_due ON webhooks (COALESCE(retry_at, 0))
    WHERE is_enabled = 1 AND noticed > position;

-- And from where on events may not have been looked at.
CREATE INDEX webhooks_by_position ON webhooks (position) WHERE is_enabled = 1;

-- The last messages of each webhook, by the position of their first event.
CREATE TABLE webhook_deliveries (
    webhook_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    event_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    attempted_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    result TEXT NOT NULL,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (webhook_id, position)
) WITHOUT ROWID;

-- Up to where it was noticed which webhooks want an event: one row for all servers.
CREATE TABLE webhook_cursor (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL
);

INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (8, CAST(unixepoch('subsec') * 1000 AS INTEGER), 4);
