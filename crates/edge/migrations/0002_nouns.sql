-- Made by `cargo xtask edge migrations` from the store's migration of the same name.

-- `write_id` is the mark of the write that changed a row last; the events of the write follow it.

CREATE TABLE projects (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    branch TEXT,
    base_branch TEXT,
    auto_accept INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,
    completed_at INTEGER,
    scope TEXT,
    pr_url TEXT,
    pr_number INTEGER,
    flow TEXT,
    write_id INTEGER NOT NULL DEFAULT 0
);

-- Both are in the order of creation, so that the newest are found without sorting.
CREATE INDEX projects_by_scope ON projects (scope);
CREATE INDEX projects_by_status ON projects (scope, status);

-- Numbers are never used again, so that an old link never shows a new draft.
CREATE TABLE drafts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    author TEXT NOT NULL,
    domain TEXT,
    file_path TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    linked_task_id TEXT,
    linked_project_id TEXT,
    tags TEXT,
    scope TEXT,
    write_id INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX drafts_by_scope ON drafts (scope);
CREATE INDEX drafts_by_status ON drafts (scope, status);

CREATE TABLE orchestrators (
    id TEXT PRIMARY KEY,
    cluster TEXT NOT NULL,
    machine_id TEXT NOT NULL,
    hostname TEXT,
    repo_url TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    last_heartbeat INTEGER NOT NULL,
    status TEXT NOT NULL,
    version TEXT,
    capabilities TEXT,
    scope TEXT NOT NULL,
    -- What its last heartbeats said: how many agents it can run and runs, and which work it takes,
    -- as JSON.
    slots INTEGER,
    busy INTEGER,
    roles TEXT,
    queues TEXT,
    pools TEXT,
    write_id INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX orchestrators_by_scope ON orchestrators (scope);

-- Who may have fallen silent. Those that are known to be offline do not stand in the way.
CREATE INDEX orchestrators_by_heartbeat ON orchestrators (last_heartbeat)
    WHERE status = 'active';

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL,
    from_actor TEXT NOT NULL,
    to_actor TEXT,
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    scope TEXT NOT NULL,
    parent_message_id TEXT,
    write_id INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX messages_by_scope ON messages (scope, created_at);
CREATE INDEX messages_by_task ON messages (scope, task_id, created_at);
CREATE INDEX messages_by_reader ON messages (scope, to_actor, created_at)
    WHERE to_actor IS NOT NULL;
CREATE INDEX messages_by_parent ON messages (parent_message_id)
    WHERE parent_message_id IS NOT NULL;

CREATE TABLE actions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    action_type TEXT NOT NULL,
    label TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    executed_at INTEGER,
    result TEXT,
    -- As the client wrote it, and when that is; null means never.
    expires_at TEXT,
    expires_at_ms INTEGER,
    metadata TEXT,
    action_data TEXT,
    scope TEXT NOT NULL,
    write_id INTEGER NOT NULL DEFAULT 0
);

-- All are in the order of creation, so that the newest are found without sorting.
CREATE INDEX actions_by_scope ON actions (scope);
CREATE INDEX actions_by_status ON actions (scope, status);
CREATE INDEX actions_by_entity ON actions (scope, entity_id);

CREATE TABLE flows (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    states TEXT NOT NULL,
    transitions TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    description TEXT,
    child_flow TEXT,
    write_id INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

-- A role belongs to the scope of the orchestrator that registered it.
CREATE TABLE roles (
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    description TEXT,
    claims_from TEXT NOT NULL,
    orchestrator_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    write_id INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, scope)
) WITHOUT ROWID;

CREATE INDEX roles_by_scope ON roles (scope, name);

-- Work that is not handed out: of a whole scope (`scope`), a queue, a role or a pool.
CREATE TABLE pauses (
    scope TEXT NOT NULL,
    target TEXT NOT NULL,
    -- Null means until it is deleted.
    until INTEGER,
    reason TEXT NOT NULL,
    paused_by TEXT NOT NULL,
    -- Whether a failed run has made it, and no person.
    is_automatic INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- How often it was put since it began.
    changes INTEGER NOT NULL,
    write_id INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, target)
) WITHOUT ROWID;

-- The jobs ask which have ended.
CREATE INDEX pauses_by_until ON pauses (until) WHERE until IS NOT NULL;

-- What requests with an Idempotency-Key have done, so that the same request again does it once.
CREATE TABLE idempotency (
    scope TEXT NOT NULL ON CONFLICT FAIL,
    route TEXT NOT NULL ON CONFLICT FAIL,
    key TEXT NOT NULL ON CONFLICT FAIL,
    body_hash TEXT NOT NULL ON CONFLICT FAIL,
    status INTEGER NOT NULL ON CONFLICT FAIL,
    subject TEXT,
    run INTEGER,
    token TEXT,
    at INTEGER NOT NULL ON CONFLICT FAIL,
    write_id INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    PRIMARY KEY (scope, route, key) ON CONFLICT FAIL
) WITHOUT ROWID;

CREATE INDEX idempotency_by_at ON idempotency (at);

-- Only hashes are kept. A revoked key keeps its row: a scope that ever had a key is not handed
-- another one unasked.
CREATE TABLE api_keys (
    key_hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    label TEXT,
    -- What its holder may do: 'read', 'work' or 'manage'.
    permission TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at INTEGER,
    revoked_at INTEGER,
    write_id INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX api_keys_by_scope ON api_keys (scope, id);

INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (4, CAST(unixepoch('subsec') * 1000 AS INTEGER), 4);
