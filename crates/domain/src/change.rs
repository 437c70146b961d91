//! What a request makes of a task, before it is written.

use crate::{event::NewEvent, refusal::Refusal, step::Step, task::Task};

/// A message that a step leaves for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who says it.
    pub from_actor: String,
    /// The message's type.
    pub kind: &'static str,
    /// The text.
    pub content: String,
}

/// What a step makes of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The task afterwards.
    pub task: Task,
    /// What history records, in order.
    pub events: Vec<NewEvent>,
    /// A message to leave, if any.
    pub notice: Option<Notice>,
    /// Whether fields outside the state machine changed, so that the whole row must be written.
    pub is_edit: bool,
}

impl Change {
    pub(crate) fn new(task: &Task) -> Self {
        Self { task: task.clone(), events: Vec::new(), notice: None, is_edit: false }
    }

    pub(crate) fn record(&mut self, event: NewEvent) {
        self.events.push(event);
    }
}

/// Checks the version a caller has named, if it has.
pub(crate) fn check_version(task: &Task, step: Step, expected: Option<i64>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != task.version => {
            Err(Refusal::VersionConflict { step, expected, found: task.version })
        }
        _ => Ok(()),
    }
}
