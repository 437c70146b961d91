//! Runs: how they begin with a claim, and how they end with a step.
//!
//! All statements belong to the write that changes the task, and follow its mark.

use const_format::concatcp;
use octopoid_domain::{
    Feedback,
    lease::RunKey,
    run::{Outcome, Run, RunChange},
};

use crate::{
    Result, Stamp, Store, all,
    columns::Column,
    engine::{Rows, Statement, bind},
    first,
    record::{self, Columns as _, Layout, record},
    row::RowReader,
};

record!(Run {
    task_id,
    run,
    scope,
    attempt,
    kind,
    source,
    agent,
    orchestrator_id,
    started_at,
    ended_at,
    outcome,
    reason,
    message,
    usage,
    summary,
    failed_checks,
    is_rejected,
    progress,
    ended_by,
    token_hash,
    key_hash,
    heard,
});

pub(crate) const TABLE: Layout = Layout::of::<Run>("runs", &["task_id", "run"]);

/// Results and checkpoints.
pub(crate) const OUTPUTS: Layout = Layout::internal(
    "run_outputs",
    &["task_id", "kind", "run"],
    &[Column::text("task_id"), Column::text("kind"), Column::int("run"), Column::text("body")],
);

/// Logs.
pub(crate) const LOGS: Layout = Layout::internal(
    "run_logs",
    &["task_id", "run", "start"],
    &[
        Column::text("task_id"),
        Column::int("run"),
        Column::int("start"),
        Column::int("bytes"),
        Column::text("body"),
        Column::int("at"),
    ],
);

/// The head of a statement that begins runs. The values follow in the order of these columns.
macro_rules! into_runs {
    () => {
        "INSERT INTO runs (task_id, run, scope, attempt, kind, source, agent, orchestrator_id, \
         started_at, outcome, token_hash, key_hash) "
    };
}
pub(crate) use into_runs;

/// The run of a task's current lease, and another one.
const FIND_RUNS: &str = concatcp!(
    "SELECT ",
    Run::NAMES,
    " FROM runs WHERE task_id = ?1 \
     AND run IN ((SELECT lease_run FROM tasks WHERE id = ?1), ?2)"
);

const CHANGE: &str = "UPDATE runs SET outcome = ?4, ended_at = ?5, ended_by = ?6, reason = ?7, \
     message = ?8, usage = COALESCE(?9, usage), summary = COALESCE(?10, summary), \
     failed_checks = COALESCE(?11, failed_checks) WHERE task_id = ?1 AND run = ?2 \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?3)";

/// The rejection is that of the last run for work, whichever run passes it. That work was accepted
/// is in the row of the task, which is written anyway.
const REJECT: &str = "UPDATE runs SET is_rejected = 1 WHERE task_id = ?1 \
     AND run = (SELECT MAX(run) FROM runs WHERE task_id = ?1 AND attempt IS NOT NULL) \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2)";

const KEEP_OUTPUT: &str = "INSERT INTO run_outputs (task_id, kind, run, body) \
     SELECT id, ?4, ?2, ?5 FROM tasks WHERE id = ?1 AND write_id = ?3 \
     ON CONFLICT (task_id, kind, run) DO UPDATE SET body = excluded.body";

/// A deleted task leaves its runs, because their numbers go on, but not what they wrote.
const END_DELETED: &str = "UPDATE runs SET outcome = 'released', ended_by = 'delete', \
     ended_at = ?3 WHERE task_id = ?1 AND outcome = 'running' \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2)";

const FORGET_OUTPUTS: &str = "DELETE FROM run_outputs WHERE task_id = ?1 \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2)";

const FORGET_LOGS: &str = "DELETE FROM run_logs WHERE task_id = ?1 \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2)";

/// The last run for work before this one.
const PREVIOUS: &str = concatcp!(
    "SELECT ",
    Run::NAMES,
    " FROM runs WHERE task_id = ?1 AND run < ?2 AND scope = ?3 AND attempt IS NOT NULL \
     ORDER BY run DESC LIMIT 1"
);

const CHECKPOINT: &str = "SELECT body FROM run_outputs WHERE task_id = ?1 \
     AND kind = 'checkpoint' AND run < ?2 ORDER BY run DESC LIMIT 1";

/// Rejections and answers among the last messages about a task.
const FEEDBACK: &str = "SELECT type, from_actor, content, created_at FROM \
     (SELECT type, from_actor, content, created_at, seq FROM messages \
     WHERE scope = ?1 AND task_id = ?2 AND created_at >= ?3 \
     ORDER BY created_at DESC, seq DESC LIMIT 1000) AS recent \
     WHERE type IN ('rejection', 'answer') ORDER BY created_at DESC, seq DESC LIMIT 5";

/// What a claim tells its agent of what came before.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The last run for work.
    pub previous: Option<Run>,
    /// The checkpoint that was saved last, as JSON.
    pub checkpoint: Option<String>,
    /// What came back.
    pub feedback: Vec<Feedback>,
}

/// The statement that finds the run of the current lease and another one, for [`runs_found`].
pub(crate) fn finding_runs(id: &str, other: Option<i64>) -> Statement {
    bind!(FIND_RUNS, id, other)
}

/// The rows of [`finding_runs`].
pub(crate) fn runs_found(rows: Rows) -> Result<Vec<Run>> {
    all(rows, record::read)
}

/// Changes a run with its task.
pub(crate) fn change(id: &str, change: &RunChange, stamp: Stamp) -> Vec<Statement> {
    let write_id = stamp.write_id;
    let mut statements = vec![bind!(
        CHANGE,
        id,
        change.run,
        write_id,
        change.outcome.as_str(),
        change.ended_at,
        change.ended_by,
        &change.reason,
        &change.message,
        &change.usage,
        &change.summary,
        &change.failed_checks,
    )];
    if let Some(result) = &change.result {
        statements.push(keep_output(id, change.run, "result", result, stamp));
    }
    statements
}

/// Keeps what a run leaves, with its task.
pub(crate) fn keep_output(
    id: &str,
    run: i64,
    kind: &'static str,
    body: &str,
    stamp: Stamp,
) -> Statement {
    bind!(KEEP_OUTPUT, id, run, stamp.write_id, kind, body)
}

/// Records that the work of the last run for work was rejected, with its task.
pub(crate) fn reject(id: &str, stamp: Stamp) -> Statement {
    bind!(REJECT, id, stamp.write_id)
}

/// Ends the runs of a task that is deleted, and forgets what they wrote.
pub(crate) fn forget(id: &str, stamp: Stamp) -> [Statement; 3] {
    [
        bind!(END_DELETED, id, stamp.write_id, stamp.now),
        bind!(FORGET_OUTPUTS, id, stamp.write_id),
        bind!(FORGET_LOGS, id, stamp.write_id),
    ]
}

const FIND: &str = concatcp!("SELECT ", Run::NAMES, " FROM runs WHERE task_id = ?1 AND run = ?2");

impl Store {
    /// The run that a key was issued for, as long as it goes on.
    pub async fn find_run_of_key(&self, key: &RunKey) -> Result<Option<Run>> {
        let [rows] = self.read_by_key([bind!(FIND, &key.task_id, key.run)]).await?;
        let hash = Some(key.hash());
        let is_good = |run: &Run| run.outcome == Outcome::Running && run.key_hash == hash;
        Ok(first(rows, record::read)?.filter(is_good))
    }

    /// What the agent of a task that was just claimed should know.
    pub(crate) async fn before(&self, task: &octopoid_domain::Task) -> Result<Before> {
        let is_first = task.run <= 1 && task.rejection_count.unwrap_or(0) == 0;
        if is_first {
            return Ok(Before::default());
        }
        let [previous, checkpoint, feedback] = self
            .read_by_key([
                bind!(PREVIOUS, &task.id, task.run, &task.scope),
                bind!(CHECKPOINT, &task.id, task.run),
                bind!(FEEDBACK, &task.scope, &task.id, task.created_at),
            ])
            .await?;
        Ok(Before {
            previous: first(previous, record::read)?,
            checkpoint: first(checkpoint, |row| RowReader::new(row).next())?,
            feedback: all(feedback, |row| {
                let mut row = RowReader::new(row);
                Ok(Feedback {
                    kind: row.next()?,
                    by: row.next()?,
                    text: row.next()?,
                    at: row.next()?,
                })
            })?,
        })
    }
}
