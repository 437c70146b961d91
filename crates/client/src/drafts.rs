//! Ideas that may become tasks or projects.

use octopoid_domain::draft::{Draft, NewDraft, Promoted, Promotion};
use serde_json::Value;

use crate::{Client, Listed, Query, Result, path};

impl Client {
    /// Creates a draft.
    pub async fn create_draft(&self, new: &NewDraft) -> Result<Draft> {
        self.post_once(&path(["drafts"]), new).await
    }

    /// The draft with this number.
    pub async fn get_draft(&self, id: i64) -> Result<Draft> {
        self.get(&path(["drafts", &id.to_string()]), &[]).await
    }

    /// Lists drafts. The query may name `status`, `author`, `domain`, `linked_task_id`,
    /// `linked_project_id`, `limit`, `offset` and `cursor`.
    pub async fn list_drafts(&self, query: Query<'_>) -> Result<Listed<Draft>> {
        self.list("drafts", &path(["drafts"]), query).await
    }

    /// Changes the fields that `patch` names; `null` clears.
    pub async fn update_draft(&self, id: i64, patch: &Value) -> Result<Draft> {
        self.patch(&path(["drafts", &id.to_string()]), patch).await
    }

    /// Deletes a draft.
    pub async fn delete_draft(&self, id: i64) -> Result<()> {
        self.delete::<Value>(&path(["drafts", &id.to_string()]), &[]).await.map(drop)
    }

    /// Makes a draft a task or a project.
    pub async fn promote_draft(&self, id: i64, body: &Promotion) -> Result<Promoted> {
        self.post_once(&path(["drafts", &id.to_string(), "promote"]), body).await
    }
}
