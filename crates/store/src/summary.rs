//! The summary of a scope: what a board shows first, in one read. It reads no finished task: those
//! are counted by the steps that finish them.

use const_format::concatcp;
use octopoid_domain::{
    Millis, queue, run,
    summary::{COUNT_MAX, HOURS, LOOK_MAX, PersonCounts, RunningCounts, Summary, hour_of, hours},
};

use crate::{
    Result, Store, all, answers,
    claimable::waiting_code,
    engine::{Row, bind},
    row::RowReader,
    sql::Sql,
};

/// The number of unfinished tasks by queue: the parts of the queue index between the finished ones.
const OPEN: &str = "SELECT queue, COUNT(*) FROM tasks WHERE scope = ?1 AND queue < 'cancelled' \
     GROUP BY queue UNION ALL SELECT queue, COUNT(*) FROM tasks \
     WHERE scope = ?1 AND queue > 'cancelled' AND queue < 'done' GROUP BY queue \
     UNION ALL SELECT queue, COUNT(*) FROM tasks \
     WHERE scope = ?1 AND queue > 'done' AND queue < 'failed' GROUP BY queue \
     UNION ALL SELECT queue, COUNT(*) FROM tasks \
     WHERE scope = ?1 AND queue > 'failed' GROUP BY queue";

const FINISHED: &str = "SELECT queue, CAST(SUM(tasks) AS BIGINT) FROM finished_counts \
     WHERE scope = ?1 GROUP BY queue";

/// What is counted, and what the codes are computed from, of unfinished tasks of some queues.
macro_rules! part {
    ($queues:literal) => {
        concat!(
            "SELECT * FROM (SELECT queue, role, priority, claim_lane, lease_expires_at, \
             claimed_in, cancel_requested_at, blocked_by, not_before, \
             CASE queue WHEN 'provisional' THEN COALESCE(submitted_at, updated_at) \
             ELSE updated_at END AS since FROM tasks WHERE scope = ?1 AND ",
            $queues,
            " LIMIT 10000) AS part"
        )
    };
}

/// The number of tasks by queue, role, priority and the code of the first reason why they wait, and
/// since when the oldest is there, among at most so many that are neither finished nor in `claimed`.
const WAITING: &str = concatcp!(
    "SELECT queue, role, priority, code, COUNT(*), MIN(since) \
     FROM (SELECT queue, role, priority, since, ",
    waiting_code!("?1", "?2", "?3"),
    " AS code FROM (SELECT * FROM (",
    part!("queue < 'cancelled'"),
    " UNION ALL ",
    part!("queue > 'cancelled' AND queue < 'claimed'"),
    " UNION ALL ",
    part!("queue > 'claimed' AND queue < 'done'"),
    " UNION ALL ",
    part!("queue > 'done' AND queue < 'failed'"),
    " UNION ALL ",
    part!("queue > 'failed'"),
    ") AS found LIMIT 10000) AS looked) AS coded GROUP BY queue, role, priority, code"
);

/// The same for `claimed`, where nothing waits; at most 10,000 tasks are read.
const HELD: &str = "SELECT queue, role, priority, NULL, COUNT(*), MIN(since) \
     FROM (SELECT queue, role, priority, COALESCE(claimed_at, updated_at) AS since FROM tasks \
     WHERE scope = ?1 AND queue = 'claimed' LIMIT 10000) AS looked \
     GROUP BY queue, role, priority";

const RUNNING: &str = "SELECT kind, COUNT(*) FROM \
     (SELECT kind FROM runs WHERE scope = ?1 AND outcome = 'running' LIMIT 10000) AS looked \
     GROUP BY kind";

/// Actions are counted among the newest that are proposed. Those that have expired stay that.
macro_rules! person {
    ($newest_first:literal) => {
        concat!(
            "SELECT COUNT(CASE WHEN action_type = 'question' THEN 1 END), \
             COUNT(CASE WHEN action_type <> 'question' THEN 1 END), \
             (SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE scope = ?1 \
             AND needs_intervention = 1 AND queue <> 'done' AND queue <> 'failed' \
             AND queue <> 'cancelled' LIMIT 1000) AS looked), \
             (SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE scope = ?1 \
             AND queue = 'provisional' LIMIT 1000) AS looked) \
             FROM (SELECT action_type, expires_at_ms FROM actions \
             WHERE scope = ?1 AND status = 'proposed' ORDER BY ",
            $newest_first,
            " LIMIT 10000) AS looked WHERE expires_at_ms IS NULL OR expires_at_ms > ?2"
        )
    };
}

const PERSON: Sql =
    Sql::Differs { sqlite: person!("seq DESC"), postgres: person!("(seq + 0) DESC") };

const HOURLY: &str = "WITH RECURSIVE hours (hour) AS (SELECT ?2 UNION ALL \
     SELECT hour + 1 FROM hours WHERE hour < ?3) \
     SELECT hours.hour, CAST(SUM(done) AS BIGINT), CAST(SUM(failed) AS BIGINT), \
     CAST(SUM(cost_micros) AS BIGINT) FROM hours JOIN hourly_counts AS counted \
     ON counted.hour = hours.hour AND counted.scope = ?1 GROUP BY hours.hour";

impl Store {
    /// The summary of a scope.
    pub async fn summary(&self, scope: &str, now: Millis) -> Result<Summary> {
        let queues = self.nameable_queues(scope).await?;
        let hour = hour_of(now);
        let batch = vec![
            bind!(OPEN, scope),
            bind!(FINISHED, scope),
            bind!(WAITING, scope, now, queues),
            bind!(HELD, scope),
            bind!(RUNNING, scope),
            bind!(PERSON, scope, now),
            bind!(HOURLY, scope, hour - HOURS + 1, hour),
        ];
        let [open, finished, waiting, held, running, person, hourly] =
            answers(self.list(Some(scope), batch).await?)?;
        let open = all(open, count)?;
        let claimed = open.iter().find(|(queue, _)| queue == queue::CLAIMED);
        let held_count = claimed.map_or(0, |(_, tasks)| *tasks);
        let outside_count = open.iter().map(|(_, tasks)| tasks).sum::<i64>() - held_count;
        let is_partial = outside_count.max(held_count) > LOOK_MAX;
        let finished = all(finished, count)?.into_iter().filter(|(_, tasks)| *tasks > 0);
        let mut summary = Summary {
            scope: scope.to_owned(),
            at: now,
            queues: open.into_iter().chain(finished).collect(),
            is_partial,
            ..Summary::default()
        };
        for tasks in all(waiting, alike)? {
            match &tasks.code {
                None => summary.claimable += tasks.count,
                Some(code) => *summary.waiting.entry(code.clone()).or_default() += tasks.count,
            }
            add(&mut summary, tasks);
        }
        for tasks in all(held, alike)? {
            add(&mut summary, tasks);
        }
        summary.running = running_counts(&all(running, count)?);
        summary.needs_person = crate::first(person, person_counts)?.unwrap_or_default();
        summary.hours = hours(now, &all(hourly, hour_counts)?);
        Ok(summary)
    }
}

/// Unfinished tasks that differ in nothing that is counted.
struct Alike {
    queue: String,
    role: Option<String>,
    priority: Option<String>,
    code: Option<String>,
    count: i64,
    since: Millis,
}

fn alike(row: Row) -> Result<Alike> {
    let mut row = RowReader::new(row);
    Ok(Alike {
        queue: row.next()?,
        role: row.next()?,
        priority: row.next()?,
        code: row.next()?,
        count: row.next()?,
        since: row.next()?,
    })
}

/// Counts tasks by role and priority, and notes since when the oldest is in its queue.
fn add(summary: &mut Summary, tasks: Alike) {
    *summary.roles.entry(tasks.role.unwrap_or_default()).or_default() += tasks.count;
    *summary.priorities.entry(tasks.priority.unwrap_or_default()).or_default() += tasks.count;
    let oldest = summary.oldest.entry(tasks.queue).or_insert(tasks.since);
    *oldest = tasks.since.min(*oldest);
}

/// A name and a number.
fn count(row: Row) -> Result<(String, i64)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?))
}

fn running_counts(counts: &[(String, i64)]) -> RunningCounts {
    let of = |kind: run::Kind| {
        let found = counts.iter().find(|(name, _)| name == kind.as_str());
        found.map_or(0, |(_, runs)| *runs)
    };
    RunningCounts { work: of(run::Kind::Work), review: of(run::Kind::Review) }
}

fn person_counts(row: Row) -> Result<PersonCounts> {
    let mut row = RowReader::new(row);
    Ok(PersonCounts {
        questions: row.next::<i64>()?.min(COUNT_MAX),
        actions: row.next::<i64>()?.min(COUNT_MAX),
        interventions: row.next()?,
        provisional: row.next()?,
    })
}

fn hour_counts(row: Row) -> Result<(i64, i64, i64, i64)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?, row.next()?, row.next()?))
}

#[cfg(test)]
mod tests {
    use octopoid_domain::summary::{COUNT_MAX, LOOK_MAX};

    #[test]
    fn the_statements_look_as_far_as_the_limits() {
        assert_eq!(super::WAITING.matches(&format!("LIMIT {LOOK_MAX})")).count(), 6);
        assert_eq!(super::HELD.matches(&format!("LIMIT {LOOK_MAX})")).count(), 1);
        let person = super::PERSON.sqlite().unwrap_or_default();
        assert_eq!(person.matches(&format!("LIMIT {COUNT_MAX})")).count(), 2);
        assert_eq!(person.matches(&format!("LIMIT {LOOK_MAX})")).count(), 1);
    }
}
