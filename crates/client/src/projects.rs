//! Groups of tasks that share a branch.

use octopoid_domain::{
    TaskView,
    project::{NewProject, Project},
};
use serde_json::Value;

use crate::{Client, Listed, Query, Result, path};

impl Client {
    /// Creates a project.
    pub async fn create_project(&self, new: &NewProject) -> Result<Project> {
        self.post_once(&path(["projects"]), new).await
    }

    /// The project with this id.
    pub async fn get_project(&self, id: &str) -> Result<Project> {
        self.get(&path(["projects", id]), &[]).await
    }

    /// Lists projects. The query may name `status`, `created_by`, `limit`, `offset`
    /// and `cursor`.
    pub async fn list_projects(&self, query: Query<'_>) -> Result<Listed<Project>> {
        self.list("projects", &path(["projects"]), query).await
    }

    /// Lists the tasks of a project, the most urgent first. The query may name `limit` and `cursor`.
    pub async fn list_project_tasks(&self, id: &str, query: Query<'_>) -> Result<Listed<TaskView>> {
        self.list("tasks", &path(["projects", id, "tasks"]), query).await
    }

    /// Changes the fields that `patch` names; `null` clears.
    pub async fn update_project(&self, id: &str, patch: &Value) -> Result<Project> {
        self.patch(&path(["projects", id]), patch).await
    }

    /// Deletes a project that has no tasks.
    pub async fn delete_project(&self, id: &str) -> Result<()> {
        self.delete::<Value>(&path(["projects", id]), &[]).await.map(drop)
    }
}
