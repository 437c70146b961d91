//! Counting finished tasks as they finish, because counting them later would read them all: how many
//! there are, and how many finished in each of the last hours.

use octopoid_domain::{
    Millis, Task, queue,
    summary::{HOURS, hour_of},
    usage::cost_micros,
};

use crate::{
    Result, Sql, Stamp, Store,
    columns::Column,
    engine::{Statement, bind},
    merge::{Merge, Turn},
    record::Layout,
};

pub(crate) const TABLE: Layout = Layout::internal(
    "finished_counts",
    &["scope", "queue", "shard"],
    &[Column::text("scope"), Column::text("queue"), Column::int("shard"), Column::int("tasks")],
);

/// What happened in each hour.
pub(crate) const HOURLY: Layout = Layout::internal(
    "hourly_counts",
    &["hour", "scope", "shard"],
    &[
        Column::int("hour"),
        Column::text("scope"),
        Column::int("shard"),
        Column::int("done"),
        Column::int("failed"),
        Column::int("cost_micros"),
    ],
);

/// The head and the tail of a statement that adds to the counts of finished tasks.
macro_rules! adding {
    ($rows:literal) => {
        concat!(
            "INSERT INTO finished_counts (scope, queue, shard, tasks) ",
            $rows,
            " ON CONFLICT (scope, queue, shard) \
             DO UPDATE SET tasks = finished_counts.tasks + excluded.tasks"
        )
    };
}

/// Many batches add to the shard of their connection: one row, which the groups of another server
/// seldom lock.
const ADD: Sql = Sql::merged(
    adding!("SELECT scope, ?3, seq % 16, ?4 FROM tasks WHERE id = ?1 AND write_id = ?2"),
    Merge::own(
        Turn::Count,
        adding!(
            "SELECT scope, ?3, pg_backend_pid() % 16, CAST(SUM(?4) AS BIGINT) \
             FROM input JOIN tasks ON id = ?1 AND write_id = ?2 GROUP BY scope, ?3 \
             ORDER BY scope, ?3"
        ),
        0,
    ),
);

/// Counts a task out of a queue if it is in it.
const SUBTRACT: &str = adding!(
    "SELECT scope, queue, seq % 16, -1 FROM tasks WHERE id = ?1 AND write_id = ?2 AND queue = ?3"
);

/// Counts tasks out of the queues that they are in.
const SUBTRACT_ALL: &str = adding!(
    "SELECT scope, queue, seq % 16, -COUNT(*) FROM tasks \
     WHERE id IN (SELECT value FROM json_each(?1)) AND write_id = ?2 \
     GROUP BY scope, queue, seq % 16 ORDER BY scope, queue, seq % 16"
);

/// The same for the counts of an hour.
macro_rules! adding_hourly {
    ($rows:literal) => {
        concat!(
            "INSERT INTO hourly_counts (hour, scope, shard, done, failed, cost_micros) ",
            $rows,
            " ON CONFLICT (hour, scope, shard) DO UPDATE \
             SET done = hourly_counts.done + excluded.done, \
             failed = hourly_counts.failed + excluded.failed, \
             cost_micros = hourly_counts.cost_micros + excluded.cost_micros"
        )
    };
}

const ADD_HOURLY: Sql = Sql::merged(
    adding_hourly!(
        "SELECT ?3, scope, seq % 16, ?4, ?5, ?6 FROM tasks WHERE id = ?1 AND write_id = ?2"
    ),
    Merge::own(
        Turn::Count,
        adding_hourly!(
            "SELECT ?3, scope, pg_backend_pid() % 16, CAST(SUM(?4) AS BIGINT), \
             CAST(SUM(?5) AS BIGINT), CAST(SUM(?6) AS BIGINT) \
             FROM input JOIN tasks ON id = ?1 AND write_id = ?2 GROUP BY ?3, scope \
             ORDER BY ?3, scope"
        ),
        0,
    ),
);

const PRUNE_HOURLY: &str = "DELETE FROM hourly_counts WHERE hour < ?1";

/// Counts, in the hour of the write, a task that it finishes and the cost of a run that it ends. No
/// statement if there is neither.
pub(crate) fn add_hourly(was: &Task, is: &Task, stamp: Stamp) -> Option<Statement> {
    let finishes = |queue| is.queue == queue && was.queue != queue;
    let (done, failed) = (finishes(queue::DONE), finishes(queue::FAILED));
    let cost = cost_micros(is.usage.as_deref()) - cost_micros(was.usage.as_deref());
    let hour = hour_of(stamp.now);
    (done || failed || cost != 0)
        .then(|| bind!(ADD_HOURLY, &is.id, stamp.write_id, hour, done, failed, cost))
}

/// Counts a task into a finished queue (1) or out of it (-1).
pub(crate) fn add(id: &str, queue: &str, tasks: i64, stamp: Stamp) -> Statement {
    bind!(ADD, id, stamp.write_id, queue, tasks)
}

/// Counts a task out of a finished queue if it is in it.
pub(crate) fn subtract(id: &str, queue: &str, stamp: Stamp) -> Statement {
    bind!(SUBTRACT, id, stamp.write_id, queue)
}

/// Counts finished tasks, a JSON array of ids, out of their queues.
pub(crate) fn subtract_all(ids: &str, stamp: Stamp) -> Statement {
    bind!(SUBTRACT_ALL, ids, stamp.write_id)
}

impl Store {
    /// Removes the counts of hours that no summary shows any more.
    pub async fn prune_hourly_counts(&self, now: Millis) -> Result<()> {
        let oldest = hour_of(now) - HOURS;
        self.write([bind!(PRUNE_HOURLY, oldest)]).await.map(drop)
    }
}
