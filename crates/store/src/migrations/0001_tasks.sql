-- Instants are integers: milliseconds since 1970, UTC. Booleans are 0 and 1. JSON is text.

-- A batch that breaks a constraint is undone as a whole. ON CONFLICT FAIL says so: SQLite need not
-- keep copies of pages to undo the one statement. It does if one constraint of the table lacks it, or
-- if the statement or a computed column calls a function.

CREATE TABLE tasks (
    -- The order of creation, which decides among equal priorities.
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL ON CONFLICT FAIL UNIQUE ON CONFLICT FAIL,
    file_path TEXT NOT NULL ON CONFLICT FAIL,
    queue TEXT NOT NULL ON CONFLICT FAIL,
    priority TEXT,
    complexity TEXT,
    role TEXT,
    branch TEXT NOT NULL ON CONFLICT FAIL,
    blocked_by TEXT,
    claimed_by TEXT,
    claimed_at INTEGER,
    commits_count INTEGER,
    turns_used INTEGER,
    attempt_count INTEGER,
    has_plan INTEGER NOT NULL ON CONFLICT FAIL,
    plan_id TEXT,
    project_id TEXT,
    auto_accept INTEGER NOT NULL ON CONFLICT FAIL,
    rejection_count INTEGER,
    pr_number INTEGER,
    pr_url TEXT,
    checks TEXT,
    check_results TEXT,
    needs_rebase INTEGER NOT NULL ON CONFLICT FAIL,
    last_rebase_attempt_at TEXT,
    staging_url TEXT,
    submitted_at INTEGER,
    completed_at INTEGER,
    created_at INTEGER NOT NULL ON CONFLICT FAIL,
    updated_at INTEGER NOT NULL ON CONFLICT FAIL,
    orchestrator_id TEXT,
    lease_expires_at INTEGER,
    version INTEGER NOT NULL ON CONFLICT FAIL,
    needs_breakdown INTEGER NOT NULL ON CONFLICT FAIL,
    review_round INTEGER,
    execution_notes TEXT,
    title TEXT,
    type TEXT,
    hooks TEXT,
    flow TEXT,
    flow_overrides TEXT,
    scope TEXT NOT NULL ON CONFLICT FAIL,
    needs_intervention INTEGER NOT NULL ON CONFLICT FAIL,
    -- The queue in which the present claim was made.
    claimed_in TEXT,
    -- How many runs tasks of this id have had, and how many of them were attempts at the work.
    run INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    attempt INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    -- The run whose lease token is current; null if there is none. It stays when the lease lapses.
    lease_run INTEGER,
    -- The last attempt whose work was accepted.
    accepted_attempt INTEGER,
    -- Failed attempts; and in a row: lapsed leases, and failures of the environment.
    failure_count INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    lapse_count INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    setback_count INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    max_attempts INTEGER,
    -- Not claimable before this instant. The jobs clear it when it has come.
    not_before INTEGER,
    -- When the holder was asked to stop because the task is cancelled.
    cancel_requested_at INTEGER,
    -- What its runs have used, as JSON; null is unknown.
    usage TEXT,
    -- The mark of the write that changed the row last; its events follow it.
    write_id INTEGER NOT NULL ON CONFLICT FAIL,
    -- How many events the journal has of it; the next one gets the next number.
    events INTEGER NOT NULL ON CONFLICT FAIL,
    -- Whether any task waits or has waited for this one, so that finishing it must look for them.
    is_awaited INTEGER NOT NULL ON CONFLICT FAIL,
    -- What a claim goes by: tasks that differ neither in role nor in type share a lane. Reviews that
    -- are held are in the lane '', because others may claim them once the lease has ended. A task
    -- that cannot be claimed has no lane. The queues are compared one by one, because for a list
    -- SQLite fills a table with its members whenever it computes the column, and D1 counts that.
    claim_lane TEXT GENERATED ALWAYS AS (
        CASE WHEN blocked_by IS NULL AND not_before IS NULL AND cancel_requested_at IS NULL
            AND queue <> 'claimed' AND queue <> 'done' AND queue <> 'failed'
            AND queue <> 'cancelled'
        THEN CASE WHEN claimed_in IS NOT NULL AND claimed_in = queue AND lease_expires_at IS NOT NULL
            THEN '' ELSE COALESCE(role, '') || CAST(X'1F' AS TEXT) || COALESCE(type, '')
            END END) VIRTUAL,
    -- The priority as a number, of every task: lists go by it too.
    claim_rank INTEGER GENERATED ALWAYS AS (
        CASE priority WHEN 'P0' THEN 0 WHEN 'P1' THEN 1 WHEN 'P2' THEN 2 WHEN 'P3' THEN 3
            ELSE 9 END) VIRTUAL,
    -- When the reaper looks at the task: at the end of the lease, or a day after the last change of
    -- a task that was put into `claimed` without one.
    reap_at INTEGER GENERATED ALWAYS AS (
        CASE WHEN queue = 'claimed' THEN COALESCE(lease_expires_at, updated_at + 86400000)
            WHEN claimed_in = queue THEN lease_expires_at END) VIRTUAL,
    -- Last, so that reading the other columns need not pass over it.
    content TEXT,
    UNIQUE (scope, file_path) ON CONFLICT FAIL
);

-- Serves claims, counts and lists. Where nothing can be claimed, the lane is null, and the tasks of
-- each rank are in the order of creation: the newest finished task is found without sorting.
CREATE INDEX tasks_by_queue ON tasks (scope, queue, claim_lane, claim_rank);

-- Serves the reaper; and a claim, which finds the row it has just taken by its lease and its mark.
CREATE INDEX tasks_by_reap_at ON tasks (reap_at, write_id) WHERE reap_at IS NOT NULL;

-- The fixer asks for these every minute. They are few, and may be in any queue.
CREATE INDEX tasks_flagged ON tasks (scope, claim_rank) WHERE needs_intervention = 1;

-- The jobs ask which delays have ended.
CREATE INDEX tasks_by_not_before ON tasks (not_before) WHERE not_before IS NOT NULL;

CREATE INDEX tasks_by_project ON tasks (project_id, claim_rank) WHERE project_id IS NOT NULL;

-- What an unfinished task waits for. `tasks.blocked_by` shows the same, joined by commas.
CREATE TABLE task_blockers (
    scope TEXT NOT NULL ON CONFLICT FAIL,
    blocker_id TEXT NOT NULL ON CONFLICT FAIL,
    task_id TEXT NOT NULL ON CONFLICT FAIL,
    position INTEGER NOT NULL ON CONFLICT FAIL,
    PRIMARY KEY (scope, blocker_id, task_id) ON CONFLICT FAIL
) WITHOUT ROWID;

CREATE INDEX task_blockers_by_task ON task_blockers (task_id, position);

-- What happens under one lease. `run` counts those of a task's id, `attempt` those for work; a review
-- is none. `source` is the queue that the task was claimed from.
CREATE TABLE runs (
    task_id TEXT NOT NULL ON CONFLICT FAIL,
    run INTEGER NOT NULL ON CONFLICT FAIL,
    scope TEXT NOT NULL ON CONFLICT FAIL,
    attempt INTEGER,
    kind TEXT NOT NULL ON CONFLICT FAIL,
    source TEXT NOT NULL ON CONFLICT FAIL,
    agent TEXT,
    orchestrator_id TEXT,
    started_at INTEGER NOT NULL ON CONFLICT FAIL,
    ended_at INTEGER,
    outcome TEXT NOT NULL ON CONFLICT FAIL,
    reason TEXT,
    message TEXT,
    usage TEXT,
    summary TEXT,
    failed_checks TEXT,
    is_rejected INTEGER NOT NULL ON CONFLICT FAIL DEFAULT 0,
    -- The last report of the agent, as JSON.
    progress TEXT,
    -- The step that ended it, so that the same request again is told from another.
    ended_by TEXT,
    -- Only the hash of the lease token is kept.
    token_hash TEXT NOT NULL ON CONFLICT FAIL,
    -- The hash of the key for the agent alone, if one was asked for.
    key_hash TEXT,
    -- The number of the last message that the agent has confirmed.
    heard INTEGER,
    PRIMARY KEY (task_id, run) ON CONFLICT FAIL
) WITHOUT ROWID;

-- Serves the list of what runs. Only running ones are in it.
CREATE INDEX runs_running ON runs (scope, task_id) WHERE outcome = 'running';

-- What a run leaves that is too large for its row: `result` and `checkpoint`, as JSON.
CREATE TABLE run_outputs (
    task_id TEXT NOT NULL ON CONFLICT FAIL,
    kind TEXT NOT NULL ON CONFLICT FAIL,
    run INTEGER NOT NULL ON CONFLICT FAIL,
    body TEXT NOT NULL ON CONFLICT FAIL,
    PRIMARY KEY (task_id, kind, run) ON CONFLICT FAIL
) WITHOUT ROWID;

-- The log of a run in pieces, each at its offset in bytes. When the first is no longer kept, it stays
-- and is empty. Its `at` says when the jobs look whether the log is still kept.
CREATE TABLE run_logs (
    task_id TEXT NOT NULL ON CONFLICT FAIL,
    run INTEGER NOT NULL ON CONFLICT FAIL,
    start INTEGER NOT NULL ON CONFLICT FAIL,
    bytes INTEGER NOT NULL ON CONFLICT FAIL,
    body TEXT NOT NULL ON CONFLICT FAIL,
    at INTEGER NOT NULL ON CONFLICT FAIL,
    PRIMARY KEY (task_id, run, start) ON CONFLICT FAIL
) WITHOUT ROWID;

-- The jobs ask which logs are old. Only the first piece of each is in it.
CREATE INDEX run_logs_begun ON run_logs (at) WHERE start = 0;

-- Finished tasks are counted as they finish, because counting them later would read them all. Each
-- count is spread over rows, so that many writers do not wait for one.
CREATE TABLE finished_counts (
    scope TEXT NOT NULL ON CONFLICT FAIL,
    queue TEXT NOT NULL ON CONFLICT FAIL,
    shard INTEGER NOT NULL ON CONFLICT FAIL,
    tasks INTEGER NOT NULL ON CONFLICT FAIL,
    PRIMARY KEY (scope, queue, shard) ON CONFLICT FAIL
) WITHOUT ROWID;

-- How many tasks finished in an hour (numbered from 1970), and what the runs that ended in it cost,
-- in millionths of a US dollar; both are counted by the steps. They are spread over rows as well. The
-- jobs remove those of days that are over.
CREATE TABLE hourly_counts (
    hour INTEGER NOT NULL ON CONFLICT FAIL,
    scope TEXT NOT NULL ON CONFLICT FAIL,
    shard INTEGER NOT NULL ON CONFLICT FAIL,
    done INTEGER NOT NULL ON CONFLICT FAIL,
    failed INTEGER NOT NULL ON CONFLICT FAIL,
    cost_micros INTEGER NOT NULL ON CONFLICT FAIL,
    PRIMARY KEY (hour, scope, shard) ON CONFLICT FAIL
) WITHOUT ROWID;

-- The journal: everything that changed, in the order of the changes. A position is never given
-- twice: the last event stays, whatever else is removed.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    -- Null for what belongs to no scope.
    scope TEXT,
    -- What the event is about: the kind of thing, and its id.
    kind TEXT NOT NULL ON CONFLICT FAIL,
    subject TEXT NOT NULL ON CONFLICT FAIL,
    -- In events of tasks: the number in the task's history, from 1.
    seq INTEGER,
    event TEXT NOT NULL ON CONFLICT FAIL,
    actor TEXT,
    details TEXT,
    at INTEGER NOT NULL ON CONFLICT FAIL,
    -- In events of tasks: version and queue after the change; imported ones have neither. The next
    -- task of the same id goes on from the version of the last event, so that event stays too.
    version INTEGER,
    queue TEXT
);

-- Serves the history of a task, which outlives it.
CREATE UNIQUE INDEX events_by_task ON events (subject, seq) WHERE seq IS NOT NULL;

-- Up to this position events may have been deleted because of their age. There is at most one row.
CREATE TABLE journal_start (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL ON CONFLICT FAIL
);

-- When the scheduled jobs ran last, and the gaps before that in which agents could not reach the
-- server, as JSON. There is one row.
CREATE TABLE availability (
    id INTEGER PRIMARY KEY,
    noted_at INTEGER NOT NULL ON CONFLICT FAIL,
    gaps TEXT NOT NULL ON CONFLICT FAIL
);
