//! What a scheduler asks for each time it wakes up: whether there is anything to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Poll {
    /// How many tasks are in the queues a scheduler looks at.
    pub queue_counts: QueueCounts,
    /// The tasks that wait for review, or are being reviewed.
    pub provisional_tasks: Vec<ProvisionalTask>,
    /// Whether the orchestrator that asked is registered; false if none was named.
    pub orchestrator_registered: bool,
    /// The tenant this is about.
    pub scope: String,
    /// The tenant's flows by name.
    pub flows: BTreeMap<String, PolledFlow>,
}

/// How many tasks are in the queues a scheduler looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueCounts {
    /// In `incoming`, the blocked ones too.
    pub incoming: i64,
    /// In `claimed`.
    pub claimed: i64,
    /// In `provisional`.
    pub provisional: i64,
}

/// What a scheduler needs to know about a task that waits for review.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProvisionalTask {
    /// The task.
    pub id: String,
    /// Its hooks, as JSON text.
    pub hooks: Option<String>,
    /// The pull request's number.
    pub pr_number: Option<i64>,
    /// The reviewer, if there is one.
    pub claimed_by: Option<String>,
}

/// What a scheduler needs to know about a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolledFlow {
    /// The states: here a real array, unlike in a flow itself.
    pub states: Vec<String>,
}
