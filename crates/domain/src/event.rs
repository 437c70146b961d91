//! Events: who did what, when and why. A task's history is the events that are about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Millis;

/// What happened. The names are those of the first server's history, and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It came into being.
    Created,
    /// An agent took it to work on it.
    Claimed,
    /// An agent took it to review it.
    ReviewClaimed,
    /// The agent handed in its work.
    Submitted,
    /// The agent had run out of turns.
    BurnoutDetected,
    /// The work was accepted.
    Accepted,
    /// The work was rejected.
    Rejected,
    /// It went back to the queue.
    Requeued,
    /// An agent that had slept goes on under its lease, which had been taken back.
    Resumed,
    /// The holder is to stop, because the task is cancelled.
    CancelRequested,
    /// It was cancelled.
    Cancelled,
    /// It was taken up again after it had failed or been cancelled.
    Retried,
    /// A review claim ended without a verdict; the task stayed where it was.
    ReviewReleased,
    /// An operator moved it.
    ForceQueue,
    /// The last task it waited for was finished or deleted, or one of several.
    Unblocked,
    /// Fields were changed.
    Edited,
    /// Evidence for a hook came in.
    HookCompleted,
    /// It was deleted.
    Deleted,
    /// A machine, a flow or a role was registered, for the first time or again.
    Registered,
    /// Fields of anything but a task were changed.
    Updated,
    /// A draft became a task or a project.
    Promoted,
    /// A machine has fallen silent.
    WentOffline,
    /// A machine that had fallen silent was heard of again.
    CameOnline,
    /// An action is to be executed.
    ExecuteRequested,
    /// An action was executed.
    Completed,
    /// A run of a task, or the execution of an action, failed.
    Failed,
    /// A key was issued.
    Issued,
    /// A key, or the secret of a webhook, was replaced by another, and goes on working for a while.
    Rotated,
    /// A key was revoked.
    Revoked,
    /// A webhook is to be tested.
    Tested,
    /// The server has disabled a webhook that failed for too long.
    Disabled,
}

impl Kind {
    /// The name in the stored and shown history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Claimed => "claimed",
            Self::ReviewClaimed => "review_claimed",
            Self::Submitted => "submitted",
            Self::BurnoutDetected => "burnout_detected",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Requeued => "requeued",
            Self::Resumed => "resumed",
            Self::CancelRequested => "cancel_requested",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::ReviewReleased => "review_released",
            Self::ForceQueue => "force_queue",
            Self::Unblocked => "unblocked",
            Self::Edited => "edited",
            Self::HookCompleted => "hook_completed",
            Self::Deleted => "deleted",
            Self::Registered => "registered",
            Self::Updated => "updated",
            Self::Promoted => "promoted",
            Self::WentOffline => "went_offline",
            Self::CameOnline => "came_online",
            Self::ExecuteRequested => "execute_requested",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Issued => "issued",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
            Self::Tested => "tested",
            Self::Disabled => "disabled",
        }
    }
}

/// An event about to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: Kind,
    /// The agent or person, if known.
    pub actor: Option<String>,
    /// A reason as plain text, or a JSON object as text.
    pub details: Option<String>,
}

impl NewEvent {
    /// An event without details.
    pub fn new(kind: Kind, actor: Option<String>) -> Self {
        Self { kind, actor, details: None }
    }

    /// The same event with details.
    #[must_use]
    pub fn with(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The number of the event in the task's history, from 1.
    pub id: i64,
    /// The task.
    pub task_id: String,
    /// What happened.
    pub event: String,
    /// The agent or person, if known.
    pub agent: Option<String>,
    /// A reason as plain text, or a JSON object as text.
    pub details: Option<String>,
    /// When it happened.
    pub timestamp: Millis,
}
