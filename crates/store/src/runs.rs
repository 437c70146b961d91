//! Runs: how they begin with a claim, how they end with a step, and how they are read.
//!
//! All statements that write belong to the write that changes the task, and follow its mark.

use std::collections::HashMap;

use const_format::concatcp;
use octopoid_domain::{
    Feedback, Refusal, Task,
    lease::RunKey,
    run::{self, LastRun, Outcome, Run, RunChange, RunDetails, RunView, RunningView},
};

use crate::{
    Result, Sql, Stamp, Store, StoreError, all,
    columns::Column,
    engine::{Statement, bind},
    first,
    lists::{Listed, Listing, Order, Page, Place, Start, json},
    merge::{Merge, Turn},
    record::{self, Columns as _, Layout, Record as _, record},
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
    digest,
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

/// The head of a statement that begins runs. The values follow in the order of these columns.
macro_rules! into_runs {
    () => {
        "INSERT INTO runs (task_id, run, scope, attempt, kind, source, agent, orchestrator_id, \
         started_at, outcome, token_hash, key_hash) "
    };
}
pub(crate) use into_runs;

/// A run of a task.
pub(crate) const FIND: &str =
    concatcp!("SELECT ", Run::NAMES, " FROM runs WHERE task_id = ?1 AND run = ?2");

const CHANGE: Sql = Sql::merged(
    "UPDATE runs SET outcome = ?4, ended_at = ?5, ended_by = ?6, reason = ?7, message = ?8, \
     usage = COALESCE(?9, usage), summary = COALESCE(?10, summary), \
     failed_checks = COALESCE(?11, failed_checks), digest = COALESCE(?12, digest) \
     WHERE task_id = ?1 AND run = ?2 \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?3)",
    Merge::update(Turn::Follow),
);

/// The rejection is that of the last run for work, whichever run passes it. That work was accepted
/// is in the row of the task, which is written anyway.
const REJECT: Sql = Sql::merged(
    "UPDATE runs SET is_rejected = 1 WHERE task_id = ?1 \
     AND run = (SELECT MAX(run) FROM runs WHERE task_id = ?1 AND attempt IS NOT NULL) \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2 \
     AND tasks.scope = runs.scope AND tasks.created_at <= runs.started_at)",
    Merge::update(Turn::Follow),
);

const KEEP_OUTPUT: Sql = Sql::merged(
    "INSERT INTO run_outputs (task_id, kind, run, body) \
     SELECT id, ?4, ?2, ?5 FROM tasks WHERE id = ?1 AND write_id = ?3 \
     ON CONFLICT (task_id, kind, run) DO UPDATE SET body = excluded.body",
    Merge::insert(Turn::Follow),
);

/// Deleted tasks: one, or a JSON array of ids.
macro_rules! deleted {
    (one) => {
        "task_id = ?1"
    };
    (all) => {
        "task_id IN (SELECT value FROM json_each(?1))"
    };
}

/// Whether this write deletes the task of a row.
macro_rules! is_deleted {
    ($table:literal) => {
        concat!(
            " AND EXISTS (SELECT 1 FROM tasks WHERE id = ",
            $table,
            ".task_id AND write_id = ?2)"
        )
    };
}

/// A deleted task leaves its last run, because the numbers go on, but not what its runs wrote. The
/// runs are found by their tasks: PostgreSQL must not pass over all that are running.
macro_rules! end_deleted {
    ($which:ident) => {
        concat!(
            "UPDATE runs SET outcome = 'released', ended_by = 'delete', ended_at = ?3 WHERE ",
            deleted!($which),
            " AND (outcome || '') = 'running'",
            is_deleted!("runs")
        )
    };
}

/// Only the rows stay whose numbers the runs of the next task of this id go on from.
macro_rules! forget_runs {
    ($which:ident) => {
        concat!(
            "DELETE FROM runs WHERE ",
            deleted!($which),
            " AND run < (SELECT MAX(run) FROM runs AS last WHERE last.task_id = runs.task_id) \
             AND (attempt IS NULL OR attempt < \
             (SELECT MAX(attempt) FROM runs AS last WHERE last.task_id = runs.task_id))",
            is_deleted!("runs")
        )
    };
}

/// Forgets what the runs of deleted tasks have in another table.
macro_rules! forget_rows {
    ($table:literal, $which:ident) => {
        concat!("DELETE FROM ", $table, " WHERE ", deleted!($which), is_deleted!($table))
    };
}

/// The last run for work before this one.
const PREVIOUS: &str = concatcp!(
    "SELECT ",
    Run::NAMES,
    " FROM runs WHERE task_id = ?1 AND run < ?2 AND scope = ?3 AND started_at >= ?4 \
     AND attempt IS NOT NULL \
     ORDER BY run DESC LIMIT 1"
);

/// The last run for work of each of some tasks.
const LAST: &str = concatcp!(
    "SELECT ",
    Run::NAMES,
    " FROM (SELECT id AS last_of, (SELECT MAX(run) FROM runs WHERE task_id = tasks.id \
     AND attempt IS NOT NULL) AS last_run FROM tasks \
     WHERE id IN (SELECT value FROM json_each(?1))) AS last \
     JOIN runs ON task_id = last_of AND run = last_run"
);

const CHECKPOINT: &str = "SELECT body FROM run_outputs WHERE task_id = ?1 \
     AND kind = 'checkpoint' AND run < ?2 ORDER BY run DESC LIMIT 1";

/// Rejections and answers among the last messages about a task.
const FEEDBACK: &str = "SELECT type, from_actor, content, created_at FROM \
     (SELECT type, from_actor, content, created_at, seq FROM messages \
     WHERE scope = ?1 AND task_id = ?2 AND created_at >= ?3 \
     ORDER BY created_at DESC, seq DESC LIMIT 1000) AS recent \
     WHERE type IN ('rejection', 'answer') ORDER BY created_at DESC, seq DESC LIMIT 5";

/// A run with its result and its last checkpoint, as JSON.
const FIND_DETAILS: &str = concatcp!(
    "SELECT ",
    Run::NAMES,
    ", (SELECT body FROM run_outputs WHERE task_id = ?1 AND kind = 'result' AND run = ?2) \
     AS result, (SELECT body FROM run_outputs WHERE task_id = ?1 AND kind = 'checkpoint' \
     AND run = ?2) AS checkpoint, \
     (SELECT accepted_attempt FROM tasks WHERE id = ?1) AS accepted_attempt FROM runs \
     WHERE task_id = ?1 AND run = ?2 AND (?3 IS NULL OR scope = ?3)"
);

/// The runs of a task, the newest first.
const OF_TASK: Order = Order {
    name: "runs",
    columns: concatcp!(
        Run::NAMES,
        ", (SELECT accepted_attempt FROM tasks WHERE id = runs.task_id) AS accepted_attempt"
    ),
    table: "runs",
    places: &[Place::number("run")],
    is_descending: true,
    is_counted: false,
};

/// The runs of a scope that have not ended, by their tasks.
const RUNNING: Order = Order {
    name: "running",
    columns: concatcp!(Run::NAMES, ", title, queue, accepted_attempt"),
    table: "runs JOIN (SELECT id AS held_id, title, queue, accepted_attempt FROM tasks) AS held \
        ON held_id = task_id",
    places: &[Place::text("task_id").indexed("(task_id || '')"), Place::number("run")],
    is_descending: false,
    is_counted: false,
};

/// Which running runs to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tenant.
    pub scope: String,
    /// For work, or reviews.
    pub kind: Option<run::Kind>,
    /// Of this agent.
    pub agent: Option<String>,
    /// On this machine.
    pub orchestrator_id: Option<String>,
}

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
        &change.digest,
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

/// Ends the run of a task that is deleted, and forgets the others and what they wrote.
pub(crate) fn forget(id: &str, stamp: Stamp) -> [Statement; 4] {
    [
        bind!(end_deleted!(one), id, stamp.write_id, stamp.now),
        bind!(forget_runs!(one), id, stamp.write_id),
        bind!(forget_rows!("run_outputs", one), id, stamp.write_id),
        bind!(forget_rows!("run_logs", one), id, stamp.write_id),
    ]
}

/// The same for tasks that are deleted together, a JSON array of ids.
pub(crate) fn forget_all(ids: &str, stamp: Stamp) -> [Statement; 4] {
    [
        bind!(end_deleted!(all), ids, stamp.write_id, stamp.now),
        bind!(forget_runs!(all), ids, stamp.write_id),
        bind!(forget_rows!("run_outputs", all), ids, stamp.write_id),
        bind!(forget_rows!("run_logs", all), ids, stamp.write_id),
    ]
}

impl Store {
    /// The run that a key was issued for, as long as it goes on.
    pub async fn find_run_of_key(&self, key: &RunKey) -> Result<Option<Run>> {
        let [rows] = self.read_by_key([bind!(FIND, &key.task_id, key.run)]).await?;
        let hash = Some(key.hash());
        let is_good = |run: &Run| run.outcome == Outcome::Running && run.key_hash == hash;
        Ok(first(rows, record::read)?.filter(is_good))
    }

    /// Lists the runs of a task, the newest first.
    pub async fn list_task_runs(
        &self,
        id: &str,
        within: Option<&str>,
        page: &Page,
    ) -> Result<Listed<RunView>> {
        let mut listing = Listing::new(&OF_TASK, &(id, within));
        listing.and("task_id = ?#", id);
        listing.and_if("scope = ?#", within);
        let read = |row| {
            let mut row = RowReader::new(row);
            Ok(RunView::of(Run::read(&mut row)?, row.next()?))
        };
        let listed = self.list_page(within, &listing, page, read).await?;
        if listed.items.is_empty() && matches!(page.start, Start::Offset(_)) {
            self.get_task(id, within).await?;
        }
        Ok(listed)
    }

    /// For each of some tasks, its last run for work, which is what a review of it is about; `None`
    /// if it has had none.
    pub async fn last_runs(&self, tasks: &[Task]) -> Result<Vec<Option<LastRun>>> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = tasks.iter().map(|task| task.id.clone()).collect();
        let [rows] = self.read([bind!(LAST, json(&ids))]).await?;
        let runs = all(rows, record::read::<Run>)?.into_iter();
        let mut runs: HashMap<_, _> = runs.map(|run| (run.task_id.clone(), run)).collect();
        let last = |task: &Task| {
            let run = runs.remove(&task.id)?;
            // A task that was deleted may have left a run under the id.
            let is_its_own = run.scope == task.scope && run.started_at >= task.created_at;
            is_its_own.then(|| LastRun::of(run, task.accepted_attempt))
        };
        Ok(tasks.iter().map(last).collect())
    }

    /// A run of a task, with its result and its last checkpoint.
    pub async fn get_run(&self, id: &str, run: i64, within: Option<&str>) -> Result<RunDetails> {
        let [rows] = self.read([bind!(FIND_DETAILS, id, run, within)]).await?;
        let found = first(rows, |row| {
            let mut row = RowReader::new(row);
            let run = Run::read(&mut row)?;
            let (result, checkpoint) = (row.next()?, row.next()?);
            Ok(RunDetails { run: RunView::of(run, row.next()?), result, checkpoint })
        })?;
        match found {
            Some(found) => Ok(found),
            None => Err(self.no_run(id, run, within).await),
        }
    }

    /// Lists the runs of a scope that have not ended.
    pub async fn list_runs(&self, filter: &Filter, page: &Page) -> Result<Listed<RunningView>> {
        let mut listing = Listing::new(&RUNNING, filter);
        listing.and("scope = ?#", &filter.scope);
        // The index has this condition too.
        listing.and_always("outcome = 'running'");
        listing.and_if("kind = ?#", filter.kind.map(run::Kind::as_str));
        listing.and_if("agent = ?#", filter.agent.as_deref());
        listing.and_if("orchestrator_id = ?#", filter.orchestrator_id.as_deref());
        self.list_page(Some(&filter.scope), &listing, page, |row| {
            let mut row = RowReader::new(row);
            let run = Run::read(&mut row)?;
            let (title, queue) = (row.next()?, row.next()?);
            Ok(RunningView { run: RunView::of(run, row.next()?), title, queue })
        })
        .await
    }

    /// Why a run was not found: its task is not there, or has no such run.
    pub(crate) async fn no_run(&self, id: &str, run: i64, within: Option<&str>) -> StoreError {
        match self.get_task(id, within).await {
            Ok(_) => Refusal::NotFound(format!("Task has no run {run}")).into(),
            Err(error) => error,
        }
    }

    /// What the agent of a task that was just claimed should know. Only messages can be before the
    /// first run.
    pub(crate) async fn before(&self, task: &Task, has_messages: bool) -> Result<Before> {
        if task.run <= 1 && !has_messages {
            return Ok(Before::default());
        }
        let [previous, checkpoint, feedback] = self
            .read_by_key([
                bind!(PREVIOUS, &task.id, task.run, &task.scope, task.created_at),
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
