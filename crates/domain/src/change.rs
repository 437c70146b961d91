//! The change of a task by a request, before it is written.

use crate::{event::NewEvent, refusal::Refusal, step::Step, task::Task};

/// A message that a step creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The author.
    pub from_actor: String,
    /// The message's type.
    pub kind: &'static str,
    /// The text.
    pub content: String,
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The task afterwards.
    pub task: Task,
    /// The events to record, in order.
    pub events: Vec<NewEvent>,
    /// The message to create, if any.
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

/// Checks the version in the request, if it has one.
pub(crate) fn check_version(task: &Task, step: Step, expected: Option<i64>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != task.version => {
            Err(Refusal::VersionConflict { step, expected, found: task.version })
        }
        _ => Ok(()),
    }
}
