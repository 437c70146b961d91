//! The change of a task by a request, before it is written.

use crate::{
    event::NewEvent, refusal::Refusal, run::RunChange, step::Step, task::Task, time::Millis,
};

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

/// A question that a step asks a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question in short.
    pub label: String,
    /// The question.
    pub text: Option<String>,
    /// The agent that asks.
    pub asked_by: String,
}

/// The pause of a pool that a step causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPause {
    /// The pool.
    pub pool: String,
    /// When it ends.
    pub until: Millis,
    /// Why.
    pub reason: String,
    /// The agent whose run failed.
    pub by: String,
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
    /// What becomes of the run of the current lease, if anything.
    pub run: Option<RunChange>,
    /// Whether the last submitted work was rejected.
    pub is_rejection: bool,
    /// The question to ask, if any.
    pub question: Option<Question>,
    /// The pool to pause, if any.
    pub pause: Option<PoolPause>,
    /// Whether fields outside the state machine changed, so that the whole row must be written.
    pub is_edit: bool,
}

impl Change {
    pub(crate) fn new(task: &Task) -> Self {
        Self {
            task: task.clone(),
            events: Vec::new(),
            notice: None,
            run: None,
            is_rejection: false,
            question: None,
            pause: None,
            is_edit: false,
        }
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
