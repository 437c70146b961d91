//! The texts of claims on PostgreSQL, where many write at the same time.

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

/// The events and the runs of the tasks that were `taken`.
macro_rules! record {
    () => {
        concat!(
            ", recorded AS (",
            into_events!(),
            "SELECT scope, 'task', id, events, 'claimed', claimed_by, NULL, claimed_at, version, \
             queue FROM taken), begun AS (",
            into_runs!(),
            "SELECT id, run, scope, attempt, 'work', ?2, claimed_by, orchestrator_id, claimed_at, \
             'running', token_hash, key_hash FROM taken)"
        )
    };
}

/// With many writers the head may be held by another claim, which is as good as gone: the claim
/// passes over it, and does not wait. A few of each lane are put in order and tried. If others hold
/// all of those, the first free head of any lane is taken. Only then can a claim get less than the
/// most urgent task.
pub(super) const TAKE_FREE: &str = concatcp!(
    postgres_lanes!(),
    ", best AS (SELECT task.seq FROM fitting CROSS JOIN LATERAL \
     (SELECT seq FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 8) AS head JOIN tasks AS task ON task.seq = head.seq \
     WHERE task.scope = ?1 AND task.queue = ?2 AND task.claim_lane = fitting.lane \
     ORDER BY task.claim_rank, task.seq LIMIT 1 FOR UPDATE OF task SKIP LOCKED), \
     free AS (SELECT any_free.seq FROM fitting CROSS JOIN LATERAL \
     (SELECT seq FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 1 FOR UPDATE SKIP LOCKED) AS any_free LIMIT 1), \
     next AS (SELECT seq FROM best UNION ALL SELECT seq FROM free LIMIT 1), taken AS (",
    take!("1", "1"),
    "FROM next WHERE tasks.seq = next.seq",
    unless_done!("?14", "?15", "?16"),
    " RETURNING tasks.*, ?11 AS token_hash, ?12 AS key_hash)",
    record!(),
    " SELECT ",
    claimed!("taken"),
    " FROM taken"
);

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
     RETURNING tasks.*, n, ?11 AS token_hash, ?12 AS key_hash)",
    record!(),
    " SELECT n, ",
    claimed!("taken"),
    " FROM taken"
);

/// The same as [`TAKE_REVIEW`](super::TAKE_REVIEW) with many writers, as [`TAKE_FREE`] does it, with
/// all its history.
pub(super) const TAKE_FREE_REVIEW: &str = concatcp!(
    postgres_lanes!(),
    ", candidates AS (SELECT head.seq, fitting.lane FROM fitting CROSS JOIN LATERAL \
     (SELECT seq FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 8) AS head UNION ALL SELECT seq, '' FROM tasks WHERE ",
    lapsed!(),
    "), best AS (SELECT task.seq, task.claim_lane AS was_lane, task.claimed_by AS former \
     FROM candidates JOIN tasks AS task ON task.seq = candidates.seq \
     WHERE task.scope = ?1 AND task.queue = ?2 AND task.claim_lane = candidates.lane \
     AND (candidates.lane > '' OR ",
    lapsed!(),
    ") ORDER BY task.claim_rank, task.seq LIMIT 1 FOR UPDATE OF task SKIP LOCKED), \
     free AS (SELECT any_free.* FROM fitting CROSS JOIN LATERAL \
     (SELECT seq, claim_lane AS was_lane, claimed_by AS former FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 1 FOR UPDATE SKIP LOCKED) AS any_free LIMIT 1), \
     next AS (SELECT * FROM best UNION ALL SELECT * FROM free LIMIT 1), taken AS (",
    take_review!(),
    "FROM next WHERE tasks.seq = next.seq",
    unless_done!("?14", "?15", "?16"),
    " RETURNING tasks.*, next.was_lane, next.former), \
     recorded AS (",
    into_events!(),
    "SELECT scope, 'task', id, events - 1, 'review_released', former, 'Lease expired', \
     claimed_at, version, queue FROM taken WHERE was_lane = '' UNION ALL \
     SELECT scope, 'task', id, events, 'review_claimed', claimed_by, NULL, claimed_at, version, \
     queue FROM taken), lapsed AS (UPDATE runs SET outcome = 'lapsed', ended_by = 'release', \
     ended_at = taken.claimed_at FROM taken WHERE taken.was_lane = '' \
     AND runs.task_id = taken.id AND runs.run = taken.run - 1 AND runs.outcome = 'running'), \
     begun AS (",
    into_runs!(),
    "SELECT id, run, scope, NULL, 'review', ?2, claimed_by, orchestrator_id, claimed_at, \
     'running', ?11, ?12 FROM taken) SELECT ",
    claimed!("taken"),
    " FROM taken"
);
