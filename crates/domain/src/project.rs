//! Projects: the row, and the bodies that create and change it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    input::{
        Flag, Id, Patch, PatchCount, PatchFlag, PatchInstant, PatchProse, PatchText, Prose, Text,
    },
    limits::{NOTE_BYTES_MAX, TITLE_BYTES_MAX, URL_BYTES_MAX, check_each, check_id, check_keys},
    refusal::Refusal,
    time::Millis,
};

/// The status of a project that names none.
pub const STATUS_DEFAULT: &str = "draft";
/// The base branch of a project that names none.
pub const BASE_BRANCH_DEFAULT: &str = "main";

/// A project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// Chosen by the client.
    pub id: String,
    /// The title.
    pub title: String,
    /// The description.
    pub description: Option<String>,
    /// By convention draft, active, completed or archived, or a state of a flow.
    pub status: String,
    /// The base branch of its tasks.
    pub branch: Option<String>,
    /// The branch it is merged into.
    pub base_branch: Option<String>,
    /// Stored for clients; not used by the server.
    pub auto_accept: bool,
    /// When it was created.
    pub created_at: Millis,
    /// The creator.
    pub created_by: Option<String>,
    /// When it was completed.
    pub completed_at: Option<Millis>,
    /// The scope; null if it was created without one.
    pub scope: Option<String>,
    /// The URL of the pull request.
    pub pr_url: Option<String>,
    /// The number of the pull request.
    pub pr_number: Option<i64>,
    /// The flow.
    pub flow: Option<String>,
}

/// The body that creates a project.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewProject {
    /// Required; unique.
    pub id: Id,
    /// Required.
    pub title: Prose,
    /// Required: the base branch of its tasks.
    pub branch: Text,
    /// The description.
    pub description: Prose,
    /// Default: `draft`.
    pub status: Text,
    /// Default: `main`.
    pub base_branch: Text,
    /// Stored for clients; not used by the server.
    pub auto_accept: Flag,
    /// The creator.
    pub created_by: Text,
    /// Default: the key's scope; without a key, none.
    pub scope: Text,
    /// The URL of the pull request.
    pub pr_url: Text,
    /// The number of the pull request.
    pub pr_number: PatchCount,
    /// The flow.
    pub flow: Text,
}

impl NewProject {
    /// The project this body asks for. `scope` is the caller's, for a body that names none.
    pub fn into_project(self, scope: Option<&str>, now: Millis) -> Result<Project, Refusal> {
        let (Some(id), Some(title), Some(branch)) = (self.id.0, self.title.0, self.branch.0) else {
            return Err(Refusal::invalid("Missing required fields: id, title, branch"));
        };
        check_id("id", &id)?;
        check_keys(&[
            ("branch", &branch),
            ("status", &self.status),
            ("base_branch", &self.base_branch),
            ("created_by", &self.created_by),
            ("scope", &self.scope),
            ("flow", &self.flow),
        ])?;
        check_each(URL_BYTES_MAX, &[("pr_url", &self.pr_url)])?;
        check_each(TITLE_BYTES_MAX, &[("title", &title)])?;
        check_each(NOTE_BYTES_MAX, &[("description", &self.description)])?;
        let or = |text: Text, default: &str| text.0.unwrap_or_else(|| default.to_owned());
        Ok(Project {
            id,
            title,
            description: self.description.0,
            status: or(self.status, STATUS_DEFAULT),
            branch: Some(branch),
            base_branch: Some(or(self.base_branch, BASE_BRANCH_DEFAULT)),
            auto_accept: self.auto_accept.0,
            created_at: now,
            created_by: self.created_by.0,
            completed_at: None,
            scope: self.scope.0.or_else(|| scope.map(str::to_owned)),
            pr_url: self.pr_url.0,
            pr_number: self.pr_number.value().map(|number| number.0),
            flow: self.flow.0,
        })
    }
}

/// The body that changes a project; only the fields that are present change.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of `Project`")]
pub struct ProjectPatch {
    pub title: PatchProse,
    pub description: PatchProse,
    pub status: PatchText,
    pub branch: PatchText,
    pub base_branch: PatchText,
    pub auto_accept: PatchFlag,
    pub completed_at: PatchInstant,
    pub pr_url: PatchText,
    pub pr_number: PatchCount,
    pub flow: PatchText,
}

impl ProjectPatch {
    /// Refuses a body that changes nothing, or that leaves the project without what it must have.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.is_empty() {
            return Err(Refusal::invalid("No fields to update"));
        }
        check_required("title", &self.title)?;
        check_required("status", &self.status)?;
        check_keys(&[
            ("branch", &self.branch),
            ("status", &self.status),
            ("base_branch", &self.base_branch),
            ("flow", &self.flow),
        ])?;
        check_each(URL_BYTES_MAX, &[("pr_url", &self.pr_url)])?;
        check_each(TITLE_BYTES_MAX, &[("title", &self.title)])?;
        check_each(NOTE_BYTES_MAX, &[("description", &self.description)])
    }

    fn is_empty(&self) -> bool {
        [
            self.title.is_absent(),
            self.description.is_absent(),
            self.status.is_absent(),
            self.branch.is_absent(),
            self.base_branch.is_absent(),
            self.auto_accept.is_absent(),
            self.completed_at.is_absent(),
            self.pr_url.is_absent(),
            self.pr_number.is_absent(),
            self.flow.is_absent(),
        ]
        .into_iter()
        .all(|is_absent| is_absent)
    }
}

/// Refuses to empty a text that a row must have.
pub(crate) fn check_required<T: AsRef<str>>(field: &str, text: &Patch<T>) -> Result<(), Refusal> {
    let why = match text {
        Patch::Null => "null",
        Patch::Set(text) if text.as_ref().is_empty() => "empty",
        Patch::Set(_) | Patch::Absent => return Ok(()),
    };
    Err(Refusal::invalid(format!("{field} must not be {why}")))
}

#[cfg(test)]
mod tests {
    use super::{NewProject, ProjectPatch};
    use crate::{input::parse_body, time::Millis};

    #[test]
    fn a_new_project_gets_the_contracts_defaults() {
        let body = br#"{"id":7,"title":"t","branch":"b","auto_accept":"false","pr_number":null}"#;
        let new: NewProject = parse_body(body).unwrap();
        let project = new.into_project(Some("mine"), Millis(5)).unwrap();
        assert_eq!(
            serde_json::to_value(project).unwrap(),
            serde_json::json!({
                "id": "7", "title": "t", "description": null, "status": "draft", "branch": "b",
                "base_branch": "main", "auto_accept": false,
                "created_at": "1970-01-01T00:00:00.005Z", "created_by": null,
                "completed_at": null, "scope": "mine", "pr_url": null, "pr_number": null,
                "flow": null,
            })
        );
    }

    #[test]
    fn a_patch_must_change_something_and_keep_what_is_required() {
        let text = |body: &str| {
            let patch: ProjectPatch = parse_body(body.as_bytes()).unwrap();
            patch.check().map_err(|refusal| refusal.to_string())
        };
        let refused = |why: &str| Err(why.to_owned());
        assert_eq!(text(r#"{"scope":"s"}"#), refused("No fields to update"));
        assert_eq!(text(r#"{"title":null}"#), refused("title must not be null"));
        assert_eq!(text(r#"{"status":""}"#), refused("status must not be empty"));
        assert_eq!(text(r#"{"pr_url":null}"#), Ok(()));
        assert_eq!(text(r#"{"branch":null}"#), Ok(()));
    }
}
