//! What agents there are, and where they claim from.

use octopoid_domain::role::{Role, RolesRegistration};

use crate::{Client, Result, listed, path};

impl Client {
    /// Registers roles of an orchestrator, and returns all it has.
    pub async fn register_roles(&self, body: &RolesRegistration) -> Result<Vec<Role>> {
        let answer = self.post(&path(["roles", "register"]), body).await?;
        Ok(listed("roles", answer)?.items)
    }

    /// Lists roles.
    pub async fn list_roles(&self) -> Result<Vec<Role>> {
        Ok(self.list("roles", &path(["roles"]), &[]).await?.items)
    }

    /// The role of this name.
    pub async fn get_role(&self, name: &str) -> Result<Role> {
        self.get(&path(["roles", name]), &[]).await
    }
}
