//! The bodies of the requests that move a task from one state to another.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    input::{Id, JsonText, Patch, PatchCount, Text},
    refusal::Refusal,
    schema::AnyJson,
    time::Millis,
};

/// Turns from which an agent without a commit counts as burnt out.
pub const BURNOUT_TURNS_IDLE: i64 = 80;
/// Turns from which any agent counts as burnt out.
pub const BURNOUT_TURNS: i64 = 100;

/// The body that hands in work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Submit {
    /// Required; null counts as 0.
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub commits_count: PatchCount,
    /// Required; null counts as 0.
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub turns_used: PatchCount,
    /// Results of checks.
    pub check_results: JsonText,
    /// What the agent noted.
    pub execution_notes: Text,
    /// The agent that hands in; 409 if another holds the task.
    pub agent_name: Text,
    /// The machine that hands in; 409 if another holds the task.
    pub orchestrator_id: Text,
    /// The version the caller has seen; 409 if the task has moved on since.
    pub version: PatchCount,
}

impl Submit {
    /// The counts, which must be there.
    pub fn counts(&self) -> Result<(i64, i64), Refusal> {
        if self.commits_count.is_absent() || self.turns_used.is_absent() {
            return Err(Refusal::invalid("Missing required fields: commits_count, turns_used"));
        }
        let number = |count: &PatchCount| count.value().map_or(0, |count| count.0);
        Ok((number(&self.commits_count), number(&self.turns_used)))
    }
}

/// Whether an agent used up its turns, so that another should go on instead of a reviewer.
pub fn is_burnout(commits: i64, turns: i64) -> bool {
    turns >= BURNOUT_TURNS || (commits == 0 && turns >= BURNOUT_TURNS_IDLE)
}

/// The body that accepts work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Accept {
    /// Required: who accepts.
    pub accepted_by: Text,
    /// When it was finished; now if left out.
    pub completed_at: Option<Millis>,
    /// The version the caller has seen; 409 if the task has moved on since.
    pub version: PatchCount,
}

/// The body that rejects work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Reject {
    /// Required: the feedback.
    pub reason: Text,
    /// Required: who rejects.
    pub rejected_by: Text,
    /// The version the caller has seen; 409 if the task has moved on since.
    pub version: PatchCount,
}

/// The optional body that puts a task back without a verdict.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Requeue {
    /// Why.
    pub reason: Text,
    /// The version the caller has seen; 409 if the task has moved on since.
    pub version: PatchCount,
}

/// The body with which an operator moves a task past the rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ForceQueue {
    /// Required: where to.
    pub queue: Text,
    /// Required: why.
    pub reason: Text,
}

/// The body that reports on a hook.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CompleteHook {
    /// `passed` or `failed`.
    pub status: Id,
    /// What proves it.
    #[schema(value_type = AnyJson)]
    pub evidence: Value,
}
