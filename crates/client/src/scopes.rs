//! The tenants of a server.

use octopoid_domain::scope::ScopeList;

use crate::{Client, Query, Result, path};

impl Client {
    /// Lists the scopes that the caller may see, and says what it may do. The query may name `scope`.
    pub async fn list_scopes(&self, query: Query<'_>) -> Result<ScopeList> {
        self.get(&path(["scopes"]), query).await
    }
}
