//! Which states tasks may be in, and which steps lead on.

use octopoid_domain::flow::{Flow, NewFlow};
use serde_json::Value;

use crate::{Client, Listed, Query, Result, path};

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

    /// Deletes a flow.
    pub async fn delete_flow(&self, name: &str) -> Result<()> {
        self.delete::<Value>(&path(["flows", name]), &[]).await.map(drop)
    }
}
