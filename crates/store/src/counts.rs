//! Counting finished tasks as they finish, because counting them later would read them all.

use crate::{
    Stamp,
    columns::Column,
    engine::{Statement, bind},
    record::Layout,
};

pub(crate) const TABLE: Layout = Layout::internal(
    "finished_counts",
    &["scope", "queue", "shard"],
    &[Column::text("scope"), Column::text("queue"), Column::int("shard"), Column::int("tasks")],
);

const ADD: &str = "INSERT INTO finished_counts (scope, queue, shard, tasks) \
     SELECT scope, ?3, seq % 16, ?4 FROM tasks WHERE id = ?1 AND write_id = ?2 \
     ON CONFLICT (scope, queue, shard) \
     DO UPDATE SET tasks = finished_counts.tasks + excluded.tasks";

/// Counts a task out of a queue if it is in it.
const SUBTRACT: &str = "INSERT INTO finished_counts (scope, queue, shard, tasks) \
     SELECT scope, queue, seq % 16, -1 FROM tasks WHERE id = ?1 AND write_id = ?2 AND queue = ?3 \
     ON CONFLICT (scope, queue, shard) \
     DO UPDATE SET tasks = finished_counts.tasks + excluded.tasks";

/// Counts a task into a finished queue (1) or out of it (-1).
pub(crate) fn add(id: &str, queue: &str, tasks: i64, stamp: Stamp) -> Statement {
    bind!(ADD, id, stamp.write_id, queue, tasks)
}

/// Counts a task out of a finished queue if it is in it.
pub(crate) fn subtract(id: &str, queue: &str, stamp: Stamp) -> Statement {
    bind!(SUBTRACT, id, stamp.write_id, queue)
}
