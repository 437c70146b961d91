//! Proposals that need approval.

use octopoid_domain::action::{Action, NewAction};
use serde_json::{Value, json};

use crate::{Client, Listed, Query, Result, path};

impl Client {
    /// Proposes an action.
    pub async fn create_action(&self, new: &NewAction) -> Result<Action> {
        self.post_once(&path(["actions"]), new).await
    }

    /// Lists actions. The query may name `entity_type`, `entity_id`, `status`, `limit`,
    /// `offset` and `cursor`.
    pub async fn list_actions(&self, query: Query<'_>) -> Result<Listed<Action>> {
        self.list("actions", &path(["actions"]), query).await
    }

    /// Asks for an action to be executed. It is asked for once.
    pub async fn execute_action(&self, id: &str) -> Result<Action> {
        self.post_once(&path(["actions", id, "execute"]), &json!({})).await
    }

    /// Says that an action was done, and what came of it.
    pub async fn complete_action(&self, id: &str, result: &Value) -> Result<Action> {
        self.post_once(&path(["actions", id, "complete"]), &json!({ "result": result })).await
    }

    /// The same under a name. The result of a question is its answer.
    pub async fn complete_action_as(&self, id: &str, by: &str, result: &Value) -> Result<Action> {
        let body = json!({ "result": result, "by": by });
        self.post_once(&path(["actions", id, "complete"]), &body).await
    }

    /// Marks an action as failed under a name, with a result.
    pub async fn fail_action_as(&self, id: &str, by: &str, result: &Value) -> Result<Action> {
        self.post_once(&path(["actions", id, "fail"]), &json!({ "result": result, "by": by })).await
    }

    /// Marks an action as failed, with a result.
    pub async fn fail_action(&self, id: &str, result: &Value) -> Result<Action> {
        self.post_once(&path(["actions", id, "fail"]), &json!({ "result": result })).await
    }

    /// Changes `status` or `result`.
    pub async fn update_action(&self, id: &str, patch: &Value) -> Result<Action> {
        self.patch(&path(["actions", id]), patch).await
    }
}
