//! What a server counts across all scopes, for its metrics, in one read. What it reads depends on
//! the number of scopes and of unfinished tasks, not on that of finished ones.

use std::collections::BTreeMap;

use const_format::concatcp;
use octopoid_domain::{Millis, orchestrator::Status, scope::SCOPES_MAX};

use crate::{
    Result, Store, all, answers,
    engine::{Row, bind},
    first,
    row::RowReader,
    scopes::names_of_all,
};

/// The most pairs of scope and queue that are looked at.
const PLACES_MAX: i64 = 10_000;

/// How many claimable tasks of a pair are looked at to find the oldest, and how many proposed
/// actions of a scope.
const LOOK_MAX: i64 = 10_000;

/// One column of the first pair of scope and queue, or of the one behind another.
macro_rules! next {
    ($column:literal, $condition:literal) => {
        concat!("(SELECT ", $column, " FROM tasks ", $condition, " ORDER BY scope, queue LIMIT 1)")
    };
}

/// What is counted of the tasks of a pair.
macro_rules! of_place {
    ($what:literal, $condition:literal) => {
        concat!(
            "(SELECT ",
            $what,
            " FROM tasks WHERE tasks.scope = places.scope AND tasks.queue = places.queue",
            $condition,
            ")"
        )
    };
}

/// The number of tasks, the number of claimable ones, and since when the oldest of those has been
/// there, for each pair of scope and queue of unfinished tasks. Each pair is found in the queue
/// index from the one before it, so that finished tasks are passed over.
const OPEN: &str = concatcp!(
    "WITH RECURSIVE places (scope, queue, place) AS (SELECT ",
    next!("scope", "WHERE scope > ''"),
    ", ",
    next!("queue", "WHERE scope > ''"),
    ", 1 UNION ALL SELECT ",
    next!("scope", "WHERE (scope, queue) > (places.scope, places.queue)"),
    ", ",
    next!("queue", "WHERE (scope, queue) > (places.scope, places.queue)"),
    ", place + 1 FROM places WHERE places.scope IS NOT NULL AND place < ?1) SELECT queue, ",
    of_place!("COUNT(*)", ""),
    ", ",
    of_place!("COUNT(*)", " AND claim_lane > ''"),
    ", (SELECT MIN(since) FROM ",
    of_place!(
        "CASE tasks.queue WHEN 'provisional' THEN COALESCE(submitted_at, updated_at) \
         ELSE updated_at END AS since",
        " AND claim_lane > '' LIMIT ?2"
    ),
    " AS looked) FROM places WHERE scope IS NOT NULL AND queue <> 'done' \
     AND queue <> 'failed' AND queue <> 'cancelled'"
);

const FINISHED: &str = concatcp!(
    "WITH ",
    names_of_all!("?1"),
    " SELECT queue, CAST(SUM(tasks) AS BIGINT) FROM names CROSS JOIN finished_counts \
     WHERE finished_counts.scope = names.scope GROUP BY queue"
);

/// The leases that are held: those that have not ended, and those that have.
const LEASES: &str = "SELECT COUNT(CASE WHEN reap_at >= ?1 THEN 1 END), \
     COUNT(CASE WHEN reap_at < ?1 THEN 1 END) FROM tasks WHERE reap_at > 0";

const MACHINES: &str = "SELECT status, COUNT(*), MIN(last_heartbeat) FROM orchestrators \
     GROUP BY status";

/// The proposed actions of a scope, questions or others, that have not expired.
macro_rules! proposed {
    ($type:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM (SELECT 1 FROM actions WHERE actions.scope = names.scope \
             AND status = 'proposed' AND action_type ",
            $type,
            " AND (expires_at_ms IS NULL OR expires_at_ms > ?3) LIMIT ?2) AS looked)"
        )
    };
}

/// For each scope, what waits for a person.
const PERSON: &str = concatcp!(
    "WITH ",
    names_of_all!("?1"),
    " SELECT ",
    proposed!("= 'question'"),
    ", ",
    proposed!("<> 'question'"),
    ", (SELECT COUNT(*) FROM tasks WHERE tasks.scope = names.scope AND needs_intervention = 1 \
     AND queue <> 'done' AND queue <> 'failed' AND queue <> 'cancelled') \
     FROM names WHERE scope IS NOT NULL"
);

/// What a server counts across all scopes, of which at most 1,000 are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The queues that have tasks.
    pub queues: Vec<QueueTotals>,
    /// The leases that have not ended.
    pub leases_live: i64,
    /// The leases that have ended and were not taken back yet.
    pub leases_lapsed: i64,
    /// The orchestrators by status.
    pub machines: Vec<(Status, i64)>,
    /// The oldest last heartbeat of the active orchestrators.
    pub oldest_heartbeat: Option<Millis>,
    /// Questions of agents that wait for an answer.
    pub questions: i64,
    /// Other actions that wait for a decision.
    pub actions: i64,
    /// Unfinished tasks that are flagged for a person.
    pub interventions: i64,
}

/// A queue, across all scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTotals {
    /// Its name.
    pub queue: String,
    /// The tasks in it.
    pub tasks: i64,
    /// Those of them that a claim could get, pauses aside.
    pub claimable: i64,
    /// Since when the oldest of those has been there, if there is one.
    pub oldest: Option<Millis>,
}

impl Store {
    /// Counts across all scopes.
    pub async fn totals(&self, now: Millis) -> Result<Totals> {
        let batch = vec![
            bind!(OPEN, PLACES_MAX, LOOK_MAX),
            bind!(FINISHED, SCOPES_MAX),
            bind!(LEASES, now),
            bind!(MACHINES),
            bind!(PERSON, SCOPES_MAX, LOOK_MAX, now),
        ];
        let [open, finished, leases, machines, person] = answers(self.engine.read(batch).await?)?;
        let mut totals = Totals { queues: sums(all(open, queue)?), ..Totals::default() };
        let finished = all(finished, finished_queue)?;
        totals.queues.extend(finished.into_iter().filter(|of| of.tasks > 0));
        (totals.leases_live, totals.leases_lapsed) = first(leases, pair)?.unwrap_or_default();
        for (status, count, heartbeat) in all(machines, machine)? {
            if status == Status::Active {
                totals.oldest_heartbeat = Some(heartbeat);
            }
            totals.machines.push((status, count));
        }
        for (questions, actions, interventions) in all(person, person_counts)? {
            totals.questions += questions;
            totals.actions += actions;
            totals.interventions += interventions;
        }
        Ok(totals)
    }
}

/// Adds up the queues of the same name.
fn sums(queues: Vec<QueueTotals>) -> Vec<QueueTotals> {
    let mut sums = BTreeMap::<String, QueueTotals>::new();
    for QueueTotals { queue, tasks, claimable, oldest } in queues {
        let sum = sums.entry(queue.clone()).or_default();
        let oldest = [sum.oldest, oldest].into_iter().flatten().min();
        let (tasks, claimable) = (sum.tasks + tasks, sum.claimable + claimable);
        *sum = QueueTotals { queue, tasks, claimable, oldest };
    }
    sums.into_values().collect()
}

fn queue(row: Row) -> Result<QueueTotals> {
    let mut row = RowReader::new(row);
    Ok(QueueTotals {
        queue: row.next()?,
        tasks: row.next()?,
        claimable: row.next()?,
        oldest: row.next()?,
    })
}

fn finished_queue(row: Row) -> Result<QueueTotals> {
    let mut row = RowReader::new(row);
    Ok(QueueTotals { queue: row.next()?, tasks: row.next()?, ..QueueTotals::default() })
}

fn pair(row: Row) -> Result<(i64, i64)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?))
}

fn machine(row: Row) -> Result<(Status, i64, Millis)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?, row.next()?))
}

fn person_counts(row: Row) -> Result<(i64, i64, i64)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?, row.next()?))
}
