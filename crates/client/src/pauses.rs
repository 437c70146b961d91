//! Work that is not handed out for a while.

use octopoid_domain::pause::{NewPause, Pause};
use serde_json::Value;

use crate::{Client, Listed, Query, Result, path};

impl Client {
    /// Pauses a target: `scope`, `queue:NAME`, `role:NAME` or `pool:NAME`.
    pub async fn put_pause(&self, target: &str, pause: &NewPause) -> Result<Pause> {
        self.put(&path(["pauses", target]), pause).await
    }

    /// Lists the pauses that have not ended. The query may name `limit` and `cursor`.
    pub async fn list_pauses(&self, query: Query<'_>) -> Result<Listed<Pause>> {
        self.list("pauses", &path(["pauses"]), query).await
    }

    /// Ends a pause.
    pub async fn delete_pause(&self, target: &str) -> Result<()> {
        self.delete::<Value>(&path(["pauses", target]), &[]).await.map(drop)
    }
}
