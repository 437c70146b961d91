//! One structured line in the log for every change of state.

use octopoid_domain::{Task, TaskView, limits::KEY_BYTES_MAX, text::cut};
use octopoid_store::retention::Expired;

use crate::auth::Caller;

/// The target of the lines, by which a log can be filtered.
pub(crate) const TARGET: &str = "octopoid::audit";

/// Says what became of a task, and through whom.
pub(crate) fn task(event: &'static str, caller: &Caller, agent: Option<&str>, task: &TaskView) {
    let key = key_id(caller);
    let agent = agent.map(field);
    let TaskView { id, scope, queue, version, .. } = task;
    let (task_id, scope, queue) = (field(id), field(scope), field(queue));
    tracing::info!(target: TARGET, event, task_id, scope, queue, version, agent, key);
}

/// Says that the reaper took a task back.
pub(crate) fn released(task: &Task) {
    let Task { id, scope, queue, version, .. } = task;
    let (task_id, scope, queue) = (field(id), field(scope), field(queue));
    tracing::info!(target: TARGET, event = "task.reclaimed", task_id, scope, queue, version);
}

/// Says that a finished task was deleted because of its age.
pub(crate) fn expired(task: &Expired) {
    let Expired { id, scope, queue, version } = task;
    let (task_id, scope, queue) = (field(id), field(scope), field(queue));
    tracing::info!(target: TARGET, event = "task.deleted", task_id, scope, queue, version);
}

/// Says what became of anything else, and through whom.
pub(crate) fn other(event: &'static str, caller: &Caller, id: &str, scope: Option<&str>) {
    let key = key_id(caller);
    let (id, scope) = (field(id), scope.map(field));
    tracing::info!(target: TARGET, event, id, scope, key);
}

/// Whether the lines are written, with the filter that the log has now.
pub fn is_shown() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// Says that the administrator has changed which lines are written.
pub fn log_filter(from: &str, to: &str) {
    let (from, to) = (field(from), field(to));
    tracing::info!(target: TARGET, event = "log_filter.changed", from, to, key = "administrator");
}

/// The part of a text that a line shows: as many bytes as an id may have. Older databases and
/// requests may hold longer ones. A text log quotes it, so that a line break forges no line.
fn field(text: &str) -> &str {
    cut(text, KEY_BYTES_MAX)
}

fn key_id(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::Anyone => None,
        Caller::Holder { key_id, .. } => Some(key_id),
        Caller::Run { .. } => Some("run"),
        Caller::Administrator => Some("administrator"),
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_line_shows_an_id_whole_and_cuts_what_is_longer() {
        let id = "i".repeat(512);
        assert_eq!(field(&id), id);
        assert_eq!(field(&"ü".repeat(600_000)), "ü".repeat(256));
    }
}
