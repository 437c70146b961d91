//! Claims of the same filters, which PostgreSQL runs as one.

use const_format::concatcp;
use octopoid_domain::Task;

use crate::{
    claimable::is_paused,
    idempotency::unless_done,
    journal::into_events,
    merge::{Merge, Turn},
    record::Columns as _,
    runs::into_runs,
};

/// How many parameters choose the tasks of a claim: the first ones.
const CHOOSING: usize = 6;

/// How claims are merged.
pub(super) const MERGE: Merge = Merge::own(Turn::Claim, TAKE_MANY, CHOOSING);

/// Takes as many tasks as there are claims; the first claim gets the most urgent one. Some claims get
/// none if other servers hold what the statement looks at. A pause that ends between two of the
/// claims has not ended for any.
const TAKE_MANY: &str = concatcp!(
    postgres_lanes!("(SELECT MIN(?7) FROM input)"),
    ", claims AS (SELECT input.*, ROW_NUMBER() OVER (ORDER BY n) AS place FROM input \
     WHERE 1 = 1",
    unless_done!("?14", "?15", "?16"),
    "), best AS (SELECT task.seq, task.claim_rank FROM fitting CROSS JOIN LATERAL \
     (SELECT seq FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 8 + (SELECT COUNT(*) FROM claims)) AS head \
     JOIN tasks AS task ON task.seq = head.seq \
     WHERE task.scope = ?1 AND task.queue = ?2 AND task.claim_lane = fitting.lane \
     ORDER BY task.claim_rank, task.seq LIMIT (SELECT COUNT(*) FROM claims) \
     FOR UPDATE OF task SKIP LOCKED), \
     next AS (SELECT seq, ROW_NUMBER() OVER (ORDER BY claim_rank, seq) AS place FROM best), \
     taken AS (",
    take!("1", "1"),
    "FROM next JOIN claims ON claims.place = next.place WHERE tasks.seq = next.seq \
     RETURNING tasks.*, n, ?11 AS token_hash, ?12 AS key_hash), recorded AS (",
    into_events!(),
    "SELECT scope, 'task', id, events, 'claimed', claimed_by, NULL, claimed_at, version, queue \
     FROM taken), begun AS (",
    into_runs!(),
    "SELECT id, run, scope, attempt, 'work', ?2, claimed_by, orchestrator_id, claimed_at, \
     'running', token_hash, key_hash FROM taken) SELECT n, ",
    claimed!("taken"),
    " FROM taken"
);
