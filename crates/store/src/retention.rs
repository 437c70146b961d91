//! Deletes tasks that have been over for long enough.
//!
//! No index has the time when a task ended. A step looks at a bounded part of the table, the oldest
//! tasks and those from a random place on, so it needs no memory of how far it came, and tasks that
//! are kept do not hide those behind them
//! (`docs/decisions/0028-finding-old-tasks-without-an-index.md`).

use octopoid_domain::Millis;

use crate::{
    Result, Stamp, Store, all, counts, dependencies,
    engine::{Row, bind},
    journal,
    locks::Lock,
    row::RowReader,
    runs,
    write::Write,
};

/// How many tasks a step looks at, at each of the two places.
const EXAMINED_MAX: i64 = 100;

/// Whether a task is over since before `?1` and nothing needs it at `?2`: no task waits for it, its
/// project has ended, and no action about it is open.
macro_rules! is_due {
    ($task:literal) => {
        concat!(
            $task,
            ".queue IN ('done', 'failed', 'cancelled') AND ",
            $task,
            ".updated_at < ?1 AND NOT EXISTS (SELECT 1 FROM task_blockers AS pair WHERE pair.scope = ",
            $task,
            ".scope AND pair.blocker_id = ",
            $task,
            ".id) AND NOT EXISTS (SELECT 1 FROM projects AS its WHERE its.id = ",
            $task,
            ".project_id AND its.status NOT IN ('completed', 'archived')) \
             AND NOT EXISTS (SELECT 1 FROM actions AS asked WHERE asked.scope = ",
            $task,
            ".scope AND asked.entity_id = ",
            $task,
            ".id AND asked.entity_type = 'task' \
             AND asked.status NOT IN ('completed', 'failed', 'expired') \
             AND (asked.expires_at_ms IS NULL OR asked.expires_at_ms > ?2))"
        )
    };
}

/// The tasks that are due among the `?3` from a place on. `?4` is a random number, or 0 for the
/// oldest tasks.
const FIND: &str = concat!(
    "SELECT id FROM (SELECT id, scope, queue, updated_at, project_id FROM tasks \
     WHERE seq >= ?4 % ((SELECT COALESCE(MAX(seq), 0) FROM tasks) + 1) \
     ORDER BY seq LIMIT ?3) AS examined WHERE ",
    is_due!("examined")
);

/// Marks the tasks that are still due, so that later statements of the batch can check the mark.
const MARK: &str = concat!(
    "UPDATE tasks SET write_id = ?4, events = events + 1 \
     WHERE id IN (SELECT value FROM json_each(?3)) AND ",
    is_due!("tasks"),
    " RETURNING id, scope, queue, version"
);

const DELETE: &str = "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?1)) \
     AND write_id = ?2";

/// A task that was deleted because it was over for long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Its id.
    pub id: String,
    /// Its scope.
    pub scope: String,
    /// The queue in which it ended.
    pub queue: String,
    /// Its last version.
    pub version: i64,
}

impl Store {
    /// Deletes up to `limit` tasks that are done, failed or cancelled and were last changed before
    /// `before`, in one batch, and returns them. Kept are tasks for which a task waits, those of a
    /// project that has not ended, and those with an open action. It looks at a part of all tasks, so
    /// it may find none although some are due; further calls look at other parts.
    pub async fn delete_expired(
        &self,
        before: Millis,
        limit: usize,
        stamp: Stamp,
    ) -> Result<Vec<Expired>> {
        let [oldest, others] = self
            .read([
                bind!(FIND, before, stamp.now, EXAMINED_MAX, 0),
                bind!(FIND, before, stamp.now, EXAMINED_MAX, stamp.write_id),
            ])
            .await?;
        let mut ids: Vec<String> = Vec::new();
        for id in all([oldest, others].concat(), |row| RowReader::new(row).next())? {
            if !ids.contains(&id) && ids.len() < limit {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut write = Write::new(stamp);
        write.hold_all(ids.iter().map(|id| Lock::task(id)));
        let ids = serde_json::Value::from(ids).to_string();
        let marked = write.run(bind!(MARK, before, stamp.now, &ids, stamp.write_id));
        write.run(journal::tasks_expired(&ids, stamp));
        write.run(counts::subtract_all(&ids, stamp));
        write.run(dependencies::all_wait_no_more(&ids, stamp));
        write.run_all(runs::forget_all(&ids, stamp));
        write.run(bind!(DELETE, &ids, stamp.write_id));
        let rows = self.commit(write).await?.take(marked);
        all(rows, expired)
    }
}

fn expired(row: Row) -> Result<Expired> {
    let mut row = RowReader::new(row);
    Ok(Expired { id: row.next()?, scope: row.next()?, queue: row.next()?, version: row.next()? })
}
