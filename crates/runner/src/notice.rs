//! What happens in a runner, for the people who watch it.

use std::{fmt, sync::Arc};

use octopoid_domain::{ClaimedTask, Millis};
use serde::Serialize;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// When, by the clock of this machine.
    pub at: Millis,
    /// What: one word.
    pub kind: &'static str,
    /// The task, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The slot, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<usize>,
    /// The rest of the sentence.
    pub text: String,
}

/// Where notices go.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(Notice) + Send + Sync>);

impl fmt::Debug for Notices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Notices")
    }
}

impl Notices {
    /// Notices are given to this function.
    pub fn new(take: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Tells something about the runner.
    pub(crate) fn tell(&self, kind: &'static str, text: impl Into<String>) {
        let (task_id, slot) = (None, None);
        (self.0)(Notice { at: crate::clock::now(), kind, task_id, slot, text: text.into() });
    }

    /// Tells something about a task.
    pub(crate) fn about(
        &self,
        task: &ClaimedTask,
        slot: usize,
        kind: &'static str,
        text: impl Into<String>,
    ) {
        let (task_id, slot) = (Some(task.id.clone()), Some(slot));
        (self.0)(Notice { at: crate::clock::now(), kind, task_id, slot, text: text.into() });
    }
}
