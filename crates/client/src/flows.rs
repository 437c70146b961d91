//! Which states tasks may be in, and which steps lead on.

use octopoid_domain::{
    TaskView,
    flow::{Flow, NewFlow},
};
use serde_json::Value;

use crate::{Client, Error, Listed, Query, Result, path};

/// The queue of work that a review has accepted and that is to be merged.
const APPROVED: &str = "approved";

impl Client {
    /// Registers or updates a flow.
    pub async fn put_flow(&self, name: &str, flow: &NewFlow) -> Result<Flow> {
        self.put(&path(["flows", name]), flow).await
    }

    /// Lists flows. The query may name `limit` and `cursor`.
    pub async fn list_flows(&self, query: Query<'_>) -> Result<Listed<Flow>> {
        self.list("flows", &path(["flows"]), query).await
    }

    /// The flow of this name.
    pub async fn get_flow(&self, name: &str) -> Result<Flow> {
        self.get(&path(["flows", name]), &[]).await
    }

    /// Where a task goes that a review accepts: into `approved`, if it is in `provisional` and its flow
    /// has a step from there to `approved`. None: it is done.
    pub async fn next_after_review(&self, task: &TaskView) -> Result<Option<String>> {
        let Some(name) = task.flow.as_deref().filter(|_| task.queue == "provisional") else {
            return Ok(None);
        };
        let flow = match self.get_flow(name).await {
            // A flow need not be registered.
            Err(Error::Refused { status: 404, .. }) => return Ok(None),
            flow => flow?,
        };
        let steps: Vec<Value> = serde_json::from_str(&flow.transitions).unwrap_or_default();
        let is_onward = |step: &Value| step["from"] == "provisional" && step["to"] == APPROVED;
        Ok(steps.iter().any(is_onward).then(|| APPROVED.to_owned()))
    }

    /// Deletes a flow.
    pub async fn delete_flow(&self, name: &str) -> Result<()> {
        self.delete::<Value>(&path(["flows", name]), &[]).await.map(drop)
    }
}
