//! Which states tasks may be in, and which steps lead on.

use octopoid_domain::{
    TaskView,
    flow::{Flow, NewFlow},
    queue,
};
use serde_json::Value;

use crate::{Client, Error, Listed, Query, Result, path};

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

    /// Where a task goes that a review accepts, see [`Flow::after_review`]. None: it is done.
    pub async fn next_after_review(&self, task: &TaskView) -> Result<Option<String>> {
        let Some(name) = task.flow.as_deref().filter(|_| task.queue == queue::PROVISIONAL) else {
            return Ok(None);
        };
        match self.get_flow(name).await {
            // A flow need not be registered.
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            flow => Ok(flow?.after_review().map(str::to_owned)),
        }
    }

    /// Deletes a flow.
    pub async fn delete_flow(&self, name: &str) -> Result<()> {
        self.delete::<Value>(&path(["flows", name]), &[]).await.map(drop)
    }
}
