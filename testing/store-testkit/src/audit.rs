//! What holds in every database, whatever was done: the rows agree with each other.

use octopoid_domain::queue;
use octopoid_store::engine::{Row, Value};

use crate::{Failure, Verdict, World, ensure_eq};

/// The finished tasks by scope and queue, as they are.
const FINISHED: &str = "SELECT scope, queue, COUNT(*) FROM tasks WHERE queue IN ('done', 'failed', 'cancelled') \
     GROUP BY scope, queue ORDER BY scope, queue";

/// The finished tasks by scope and queue, as they were counted.
const COUNTED: &str = "SELECT scope, queue, CAST(SUM(tasks) AS BIGINT) FROM finished_counts \
     GROUP BY scope, queue HAVING SUM(tasks) <> 0 ORDER BY scope, queue";

/// Tasks whose text shows other blockers than the pairs.
const MISREPRESENTED: &str = "SELECT id, blocked_by, pairs FROM (SELECT id, blocked_by, \
     (SELECT string_agg(blocker_id, ',' ORDER BY position) FROM task_blockers \
     WHERE task_id = tasks.id) AS pairs FROM tasks) AS shown \
     WHERE COALESCE(blocked_by, '') <> COALESCE(pairs, '')";

/// Blockers that never end: of a missing task, or on a done one.
const STUCK: &str = "SELECT blocker_id, task_id FROM task_blockers WHERE task_id NOT IN (SELECT id FROM tasks) \
     OR blocker_id = task_id OR EXISTS (SELECT 1 FROM tasks WHERE id = blocker_id \
     AND tasks.scope = task_blockers.scope AND queue = 'done')";

/// Tasks whose history does not begin at their creation, or has gaps.
const UNTOLD: &str = "SELECT id FROM tasks WHERE NOT EXISTS (SELECT 1 FROM events \
     WHERE subject = tasks.id AND seq IS NOT NULL AND kind = 'task' AND event = 'created') \
     OR (SELECT MIN(seq) <> 1 OR MAX(seq) <> COUNT(*) FROM events \
     WHERE subject = tasks.id AND seq IS NOT NULL)";

/// Runs that go on, though their lease is not the one on the task, or nobody holds it; and leases
/// whose run has ended in another way than by a lapse.
const ASTRAY: &str = "SELECT task_id, run, outcome FROM runs WHERE outcome = 'running' \
     AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id AND lease_run = runs.run \
     AND (queue = 'claimed' OR claimed_in = queue AND lease_expires_at IS NOT NULL)) \
     UNION ALL SELECT id, lease_run, '' FROM tasks WHERE lease_run IS NOT NULL AND NOT EXISTS \
     (SELECT 1 FROM runs WHERE task_id = tasks.id AND run = tasks.lease_run \
     AND outcome IN ('running', 'lapsed') AND runs.scope = tasks.scope)";

/// Runs that have ended and do not say when or by what, or that go on and do.
const HALF_ENDED: &str = "SELECT task_id, run, outcome, ended_at, ended_by FROM runs \
     WHERE (outcome = 'running') <> (ended_at IS NULL) OR (ended_at IS NULL) <> (ended_by IS NULL)";

/// Runs of a task with the secret of another of its runs.
const SHARED_TOKENS: &str = "SELECT task_id, token_hash, COUNT(*) FROM runs \
     GROUP BY task_id, token_hash HAVING COUNT(*) > 1";

/// Tasks to be cancelled that nobody holds.
const MARKED: &str = "SELECT id, queue FROM tasks WHERE cancel_requested_at IS NOT NULL \
     AND queue <> 'claimed' AND (claimed_in IS NULL OR claimed_in <> queue OR lease_expires_at IS NULL)";

/// What can be claimed, and what a claim goes by.
const LANES: &str = "SELECT id, queue, blocked_by, claimed_in, lease_expires_at, claim_lane, claim_rank, reap_at, \
     priority, COALESCE(not_before, cancel_requested_at) FROM tasks";

/// Looks the database over.
pub async fn check(world: &World) -> Verdict {
    let look = async |sql| world.runs(sql, Vec::new()).await;
    let none: Vec<Row> = Vec::new();
    ensure_eq!(
        look(COUNTED).await?,
        look(FINISHED).await?,
        "finished tasks are counted (scope, queue, tasks)"
    );
    ensure_eq!(look(MISREPRESENTED).await?, none, "blocked_by shows the pairs (id, text, pairs)");
    ensure_eq!(
        look(STUCK).await?,
        none,
        "nothing waits for what is over, or was deleted (blocker, task)"
    );
    ensure_eq!(look(UNTOLD).await?, none, "history begins with the creation and has no gaps (id)");
    ensure_eq!(look(ASTRAY).await?, none, "a run goes on under the lease (task, run, outcome)");
    ensure_eq!(look(HALF_ENDED).await?, none, "a run has ended or goes on (task, run, outcome)");
    ensure_eq!(look(SHARED_TOKENS).await?, none, "a token is that of one run (task, hash, runs)");
    ensure_eq!(look(MARKED).await?, none, "what nobody holds is cancelled at once (id, queue)");
    for row in look(LANES).await? {
        check_lane(row)?;
    }
    Ok(())
}

/// A task has a lane exactly when it can be claimed, or could be if nobody held it; the latter
/// share the lane ''. The reaper looks at a task exactly when it is held, or sits in `claimed`.
fn check_lane(row: Row) -> Verdict {
    let shown = format!("{row:?}");
    let Ok([id, queue, blocked_by, claimed_in, lease, lane, rank, reap_at, priority, withheld]) =
        <[Value; 10]>::try_from(row)
    else {
        return Err(Failure::new("a row of another shape"));
    };
    let Value::Text(name) = &queue else {
        return Err(Failure::new(format!("task {id:?} has no queue")));
    };
    let is_held = claimed_in == queue && lease != Value::Null;
    let has_lane = withheld == Value::Null
        && blocked_by == Value::Null
        && !queue::NOT_CLAIMABLE.contains(&&**name);
    ensure_eq!(lane != Value::Null, has_lane, "a lane is for what can be claimed: {shown}");
    if has_lane {
        ensure_eq!(lane == Value::from(""), is_held, "what is held has a lane of its own: {shown}");
    }
    let named = match &priority {
        Value::Text(name) => ["P0", "P1", "P2", "P3"].iter().position(|known| known == name),
        Value::Int(_) | Value::Null => None,
    };
    let expected = named.and_then(|rank| i64::try_from(rank).ok()).unwrap_or(9);
    ensure_eq!(rank, Value::Int(expected), "the rank is that of the priority: {shown}");
    let is_watched = is_held || name == queue::CLAIMED;
    ensure_eq!(reap_at != Value::Null, is_watched, "the reaper watches what is held: {shown}");
    Ok(())
}
