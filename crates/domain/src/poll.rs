//! What a scheduler asks for each time it wakes up: whether there is anything to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Poll {
    /// The number of tasks in the queues of a scheduler.
    pub queue_counts: QueueCounts,
    /// The tasks that wait for review, or are being reviewed.
    pub provisional_tasks: Vec<ProvisionalTask>,
    /// Whether the polling orchestrator is registered; false if the request has none.
    pub orchestrator_registered: bool,
    /// The scope.
    pub scope: String,
    /// The flows of the scope, by name.
    pub flows: BTreeMap<String, PolledFlow>,
}

/// The number of tasks in the queues of a scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueCounts {
    /// In `incoming`, including blocked tasks.
    pub incoming: i64,
    /// In `claimed`.
    pub claimed: i64,
    /// In `provisional`.
    pub provisional: i64,
}

/// The data of a task in review for schedulers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProvisionalTask {
    /// The task.
    pub id: String,
    /// Its hooks, as JSON text.
    pub hooks: Option<String>,
    /// The number of the pull request.
    pub pr_number: Option<i64>,
    /// The reviewer, if there is one.
    pub claimed_by: Option<String>,
}

/// The flow data for schedulers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolledFlow {
    /// The states: here a JSON array, unlike in a flow.
    pub states: Vec<String>,
}
