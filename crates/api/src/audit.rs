//! One structured line in the log for every change of state.

use octopoid_domain::Task;

use crate::auth::Caller;

/// The target of the lines, by which a log can be filtered.
pub(crate) const TARGET: &str = "octopoid::audit";

/// Says what became of a task, and through whom.
pub(crate) fn task(event: &'static str, caller: &Caller, agent: Option<&str>, task: &Task) {
    let key = key_id(caller);
    let Task { id, scope, queue, version, .. } = task;
    // As text, which is quoted in a log for people: an id with a line break forges no line.
    let task_id = id.as_str();
    tracing::info!(target: TARGET, event, task_id, scope, queue, version, agent, key);
}

/// Says that the reaper took a task back.
pub(crate) fn released(task: &Task) {
    let Task { id, scope, queue, version, .. } = task;
    let task_id = id.as_str();
    tracing::info!(target: TARGET, event = "task.reclaimed", task_id, scope, queue, version);
}

/// Says what became of anything else, and through whom.
pub(crate) fn other(event: &'static str, caller: &Caller, id: &str, scope: Option<&str>) {
    let key = key_id(caller);
    tracing::info!(target: TARGET, event, id, scope, key);
}

fn key_id(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::Anyone => None,
        Caller::Holder { key_id, .. } => Some(key_id),
        Caller::Administrator => Some("administrator"),
    }
}
