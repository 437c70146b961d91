//! Pauses: work that is not handed out for a while.

use octopoid_domain::{
    Task,
    change::PoolPause,
    event::{Kind, NewEvent},
};

use crate::{columns::Column, engine::bind, journal::Subject, record::Layout, write::Write};

pub(crate) const TABLE: Layout = Layout::internal(
    "pauses",
    &["scope", "target"],
    &[
        Column::text("scope"),
        Column::text("target"),
        Column::int("until"),
        Column::text("reason"),
        Column::text("paused_by"),
        Column::int("is_automatic"),
        Column::int("created_at"),
        Column::int("write_id"),
    ],
);

/// A pause that a failed run causes. It never shortens another, and never replaces that of a person
/// as long as that lasts.
const PAUSE_POOL: &str = "INSERT INTO pauses \
     (scope, target, until, reason, paused_by, is_automatic, created_at, write_id) \
     SELECT scope, ?3, ?4, ?5, ?6, 1, ?7, ?2 FROM tasks WHERE id = ?1 AND write_id = ?2 \
     ON CONFLICT (scope, target) DO UPDATE SET until = excluded.until, reason = excluded.reason, \
     paused_by = excluded.paused_by, is_automatic = 1, created_at = excluded.created_at, \
     write_id = excluded.write_id \
     WHERE pauses.until <= ?7 OR (pauses.is_automatic = 1 AND pauses.until < excluded.until)";

/// Adds to a write the pause of a pool that a failed run of a task causes.
pub(crate) fn pause_pool(write: &mut Write, task: &Task, pause: &PoolPause) {
    let PoolPause { pool, until, reason, by } = pause;
    let target = format!("pool:{pool}");
    let stamp = write.stamp;
    write.run(bind!(PAUSE_POOL, &task.id, stamp.write_id, &target, *until, reason, by, stamp.now));
    let event = NewEvent::new(Kind::Created, Some(by.clone())).with(reason.as_str());
    write.record(Subject::Pause { scope: &task.scope, target: &target }, &event);
}
