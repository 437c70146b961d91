//! Who waits for whom. The pairs are the truth; `tasks.blocked_by` shows them as text.
//!
//! Everything here happens in the batch that finishes, deletes, creates or edits a task, so that a
//! task cannot begin to wait for one that is finishing at that moment.

use octopoid_domain::{
    Task,
    event::{Kind, NewEvent},
    failure::AWAITING_INPUT,
    task::blockers,
};

use crate::{
    Stamp,
    columns::Column,
    engine::{Parameter, Statement, bind},
    journal::{Subject, into_events},
    locks::Lock,
    record::Layout,
    sql::Sql,
    write::{Answer, Write},
};

/// The pairs of a task and what it waits for.
pub(crate) const TABLE: Layout = Layout::internal(
    "task_blockers",
    &["scope", "blocker_id", "task_id"],
    &[
        Column::text("scope"),
        Column::text("blocker_id"),
        Column::text("task_id"),
        Column::int("position"),
    ],
);

/// What a task waits for, as text.
macro_rules! show {
    ($task:literal, $condition:literal) => {
        concat!(
            "(SELECT string_agg(blocker_id, ',' ORDER BY position) FROM task_blockers \
             WHERE task_id = ",
            $task,
            $condition,
            ")"
        )
    };
}

/// The tasks that wait for `?1`, if this write is what finished or deleted it. Tasks wait only for
/// tasks of their own scope: an id means nothing to other tenants.
macro_rules! dependents {
    () => {
        "(SELECT pair.task_id FROM tasks AS ended JOIN task_blockers AS pair \
         ON pair.scope = ended.scope AND pair.blocker_id = ended.id \
         WHERE ended.id = ?1 AND ended.write_id = ?2)"
    };
}

/// Dependents are held before they are changed, so that what they wait for is read after another
/// batch has shortened or edited them.
const HOLD: Sql = Sql::OnlyPostgres(concat!(
    "SELECT id FROM tasks WHERE id IN ",
    dependents!(),
    " ORDER BY id FOR UPDATE"
));

/// Dependents wait no longer for it.
const SHORTEN: &str = concat!(
    "UPDATE tasks SET blocked_by = ",
    show!("tasks.id", " AND blocker_id <> ?1"),
    ", version = version + 1, updated_at = ?3, write_id = ?2, events = events + 1 WHERE id IN ",
    dependents!()
);

const RECORD: &str = concat!(
    into_events!(),
    "SELECT scope, 'task', id, events, 'unblocked', NULL, ?1, ?3, version, queue FROM tasks \
     WHERE write_id = ?2 AND id IN ",
    dependents!()
);

const FORGET_BLOCKER: &str = "DELETE FROM task_blockers WHERE blocker_id = ?1 \
     AND scope = (SELECT scope FROM tasks WHERE id = ?1 AND write_id = ?2)";

const FORGET_WAITING: &str = "DELETE FROM task_blockers WHERE task_id = ?1 \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2)";

const ALL_FORGET_WAITING: &str = "DELETE FROM task_blockers \
     WHERE task_id IN (SELECT value FROM json_each(?1)) \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = task_blockers.task_id AND write_id = ?2)";

macro_rules! awaiting {
    ($condition:literal) => {
        concat!(
            "UPDATE tasks SET is_awaited = 1 \
             WHERE id IN (SELECT value FROM json_each(?3)) AND queue <> 'done' ",
            $condition,
            "AND scope = (SELECT scope FROM tasks WHERE id = ?1 AND write_id = ?2)"
        )
    };
}

/// Marks unfinished blockers as awaited, so that the write that finishes them looks for dependents.
/// With concurrent writers, marked ones are written too: that locks the row until the pair is
/// committed.
const AWAIT: Sql =
    Sql::Differs { sqlite: awaiting!("AND is_awaited = 0 "), postgres: awaiting!("") };

macro_rules! waiting {
    ($list:literal) => {
        concat!(
            "INSERT INTO task_blockers (scope, blocker_id, task_id, position) \
             SELECT waiting.scope, value, waiting.id, key FROM tasks AS waiting CROSS JOIN ",
            $list,
            " WHERE waiting.id = ?1 AND waiting.write_id = ?2 \
             AND NOT EXISTS (SELECT 1 FROM tasks AS ended WHERE ended.id = value \
             AND ended.scope = waiting.scope AND ended.queue = 'done')"
        )
    };
}

/// A done blocker is removed. An unknown id is a marker and is kept.
const WAIT: Sql = Sql::Differs {
    sqlite: waiting!("json_each(?3)"),
    postgres: waiting!("json_array_elements_text(?3::json) WITH ORDINALITY AS listed (value, key)"),
};

const SHOW: &str =
    concat!("UPDATE tasks SET blocked_by = ", show!("?1", ""), " WHERE id = ?1 AND write_id = ?2");

/// Held before it is changed, for the same reason.
const HOLD_TASK: Sql = Sql::OnlyPostgres("SELECT id FROM tasks WHERE id = ?1 FOR UPDATE");

/// The task waits no longer for a person's answer, if this write has ended the question `?4` and no
/// other question is open.
const ANSWERED: &str = concat!(
    "UPDATE tasks SET blocked_by = ",
    show!("tasks.id", " AND blocker_id <> 'awaiting-input'"),
    ", needs_intervention = 0, version = version + 1, updated_at = ?3, write_id = ?2, \
     events = events + 1 WHERE id = ?1 \
     AND scope = (SELECT scope FROM actions WHERE id = ?4 AND write_id = ?2) \
     AND EXISTS (SELECT 1 FROM task_blockers \
     WHERE task_id = ?1 AND blocker_id = 'awaiting-input') \
     AND NOT EXISTS (SELECT 1 FROM actions AS other WHERE other.scope = tasks.scope \
     AND other.entity_id = ?1 AND other.entity_type = 'task' AND other.action_type = 'question' \
     AND other.status NOT IN ('completed', 'failed', 'expired') \
     AND (other.expires_at_ms IS NULL OR other.expires_at_ms > ?3)) RETURNING id"
);

const FORGET_MARKER: &str = "DELETE FROM task_blockers WHERE task_id = ?1 \
     AND blocker_id = 'awaiting-input' \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?2)";

/// Adds to the write that ends a question that its task goes on; the answer is empty if it
/// does not.
pub(crate) fn answered(write: &mut Write, task: &str, question: &str) -> Answer {
    let stamp = write.stamp;
    write.run(bind!(HOLD_TASK, task));
    let released = write.run(bind!(ANSWERED, task, stamp.write_id, stamp.now, question));
    write.run(bind!(FORGET_MARKER, task, stamp.write_id));
    let event = NewEvent::new(Kind::Unblocked, None).with(AWAITING_INPUT);
    write.record(Subject::Task(task), &event);
    released
}

/// Lets everything go on that waits for a task which this write has finished or deleted.
pub(crate) fn release_dependents(id: &str, stamp: Stamp) -> [Statement; 4] {
    [
        bind!(HOLD, id, stamp.write_id),
        bind!(SHORTEN, id, stamp.write_id, stamp.now),
        bind!(RECORD, id, stamp.write_id, stamp.now),
        bind!(FORGET_BLOCKER, id, stamp.write_id),
    ]
}

/// What a task decides by when it begins to wait: whether its blockers are there, and whether they
/// wait for it. The marker is no task, and the tasks of all tenants that ask a person have it.
pub(crate) fn locks(waiting: &Task) -> Vec<Lock> {
    let mut list = blockers(waiting.blocked_by.as_deref().unwrap_or_default());
    list.retain(|id| *id != AWAITING_INPUT);
    let graph = (!list.is_empty()).then(|| Lock::waiting(&waiting.scope));
    list.into_iter().map(Lock::task).chain(graph).collect()
}

/// A list of blockers as one parameter, for `json_each`.
pub(crate) fn listed(blocked_by: Option<&str>) -> Parameter {
    blocked_by.map(|list| json_array(&blockers(list))).into()
}

fn json_array(blockers: &[&str]) -> String {
    serde_json::Value::from(blockers).to_string()
}

/// Makes a task wait for exactly these.
pub(crate) fn wait_for(id: &str, blockers: &[&str], stamp: Stamp) -> [Statement; 4] {
    let list = json_array(blockers);
    [
        wait_no_more(id, stamp),
        bind!(AWAIT, id, stamp.write_id, list.clone()),
        bind!(WAIT, id, stamp.write_id, list),
        bind!(SHOW, id, stamp.write_id),
    ]
}

/// Makes a task wait for nothing.
pub(crate) fn wait_no_more(id: &str, stamp: Stamp) -> Statement {
    bind!(FORGET_WAITING, id, stamp.write_id)
}

/// Makes tasks, a JSON array of ids, wait for nothing.
pub(crate) fn all_wait_no_more(ids: &str, stamp: Stamp) -> Statement {
    bind!(ALL_FORGET_WAITING, ids, stamp.write_id)
}

#[cfg(test)]
mod tests {
    use octopoid_domain::Task;

    use super::{Lock, locks};

    #[test]
    fn a_task_that_waits_for_an_answer_holds_nothing_that_others_need() {
        let waiting = |list: &str| Task {
            scope: "s".to_owned(),
            blocked_by: Some(list.to_owned()),
            ..Task::default()
        };
        assert_eq!(locks(&waiting("awaiting-input")), []);
        let both = locks(&waiting("a,awaiting-input"));
        assert_eq!(both, [Lock::task("a"), Lock::waiting("s")]);
    }
}
