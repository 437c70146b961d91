//! What agents there are, and where they claim from.

use octopoid_domain::role::{Role, RolesRegistration};

use crate::{Client, Listed, Query, Result, listed, path};

impl Client {
    /// Registers roles of an orchestrator, and returns all it has.
    pub async fn register_roles(&self, body: &RolesRegistration) -> Result<Vec<Role>> {
        let answer = self.post(&path(["roles", "register"]), body).await?;
        Ok(listed("roles", answer)?.items)
    }

    /// Lists roles. The query may name `limit` and `cursor`.
    pub async fn list_roles(&self, query: Query<'_>) -> Result<Listed<Role>> {
        self.list("roles", &path(["roles"]), query).await
    }

    /// The role of this name.
    pub async fn get_role(&self, name: &str) -> Result<Role> {
        self.get(&path(["roles", name]), &[]).await
    }
}
