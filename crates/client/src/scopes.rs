//! The tenants of a server.

use octopoid_domain::scope::Scopes;

use crate::{Client, Query, Result, path};

impl Client {
    /// Lists the scopes that the caller may see. The query may name `scope`.
    pub async fn list_scopes(&self, query: Query<'_>) -> Result<Scopes> {
        self.get(&path(["scopes"]), query).await
    }
}
