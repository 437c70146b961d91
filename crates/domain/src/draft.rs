//! Drafts: ideas that may become a task or a project.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, SchemaType, Type},
    },
};

use crate::{
    input::{
        INTEGER_MAX, Id, Patch, PatchId, PatchProse, PatchText, Plain, Prose, Text, json_text,
        parse_body,
    },
    limits::{Measured, NOTE_BYTES_MAX, PATH_BYTES_MAX, TITLE_BYTES_MAX, check_each, check_keys},
    project::{NewProject, Project, check_required},
    refusal::Refusal,
    task::{NewTask, Task},
    task_view::TaskView,
    text::shown,
    time::Millis,
};

/// The default status of a draft.
pub const STATUS_DEFAULT: &str = "idea";

/// The status of a promoted draft. Of the conventional ones (idea, draft, review, approved,
/// implemented, archived) it means that the work is planned; `implemented` is set by the clients
/// when the work is done.
pub const PROMOTED: &str = "approved";

/// A draft.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// Numbered by the server; a number is never used again.
    pub id: i64,
    /// The title.
    pub title: String,
    /// By convention idea, draft, review, approved, implemented or archived.
    pub status: String,
    /// The author.
    pub author: String,
    /// The domain of the draft.
    pub domain: Option<String>,
    /// The path of the draft's file on the client.
    pub file_path: Option<String>,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
    /// The task it became or belongs to.
    pub linked_task_id: Option<String>,
    /// The project it became or belongs to.
    pub linked_project_id: Option<String>,
    /// Tags, as the text of a JSON array.
    pub tags: Option<String>,
    /// The scope; null if it was created without one.
    pub scope: Option<String>,
}

/// Tags: an array, or the text of one, which is how they are stored and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tags(pub Option<String>);

/// Tags of a partial update.
pub type PatchTags = Patch<Tags>;

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tags = match Value::deserialize(deserializer)? {
            Value::Null | Value::Bool(false) => return Ok(Self(None)),
            Value::String(text) if text.is_empty() => return Ok(Self(None)),
            // A client may send back what it was shown.
            Value::String(text) => serde_json::from_str(&json_text(text)).unwrap_or_default(),
            value => value,
        };
        if tags.is_array() {
            Ok(Self(Some(tags.to_string())))
        } else {
            Err(de::Error::custom("expected an array"))
        }
    }
}

impl From<Tags> for Option<String> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

impl Measured for Tags {
    fn measured(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl ToSchema for Tags {}
impl PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Array, Type::String, Type::Null]))
            .items(Plain::schema())
            .description(Some("An array of tags, or its text; stored and returned as text."))
            .into()
    }
}

/// The number of a draft in a path.
pub fn parse_id(text: &str) -> Result<i64, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::invalid("Draft ID must be an integer"));
    }
    // No draft has a number that a backend cannot hold: D1 binds 53 bits.
    match text.parse() {
        Ok(id) if (-INTEGER_MAX..=INTEGER_MAX).contains(&id) => Ok(id),
        _ => Err(not_found(shown(text))),
    }
}

/// The draft does not exist, or not in the caller's scope.
pub fn not_found(id: impl std::fmt::Display) -> Refusal {
    Refusal::NotFound(format!("Draft {id} not found"))
}

/// The body that creates a draft.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewDraft {
    /// Required.
    pub title: Prose,
    /// Required: the author.
    pub author: Text,
    /// Default: `idea`.
    pub status: Text,
    /// The domain of the draft.
    pub domain: Text,
    /// The path of the draft's file on the client.
    pub file_path: Text,
    /// The task it belongs to.
    pub linked_task_id: Id,
    /// The project it belongs to.
    pub linked_project_id: Id,
    /// Tags.
    pub tags: Tags,
    /// Default: the key's scope; without a key, none.
    pub scope: Text,
}

impl NewDraft {
    /// The draft this body asks for, before the store has numbered it. `scope` is the caller's,
    /// for a body that names none.
    pub fn into_draft(self, scope: Option<&str>, now: Millis) -> Result<Draft, Refusal> {
        let (Some(title), Some(author)) = (self.title.0, self.author.0) else {
            return Err(Refusal::invalid("Missing required fields: title, author"));
        };
        check_keys(&[
            ("status", &self.status),
            ("author", &author),
            ("domain", &self.domain),
            ("linked_task_id", &self.linked_task_id),
            ("linked_project_id", &self.linked_project_id),
            ("scope", &self.scope),
        ])?;
        check_each(PATH_BYTES_MAX, &[("file_path", &self.file_path)])?;
        check_each(TITLE_BYTES_MAX, &[("title", &title)])?;
        check_each(NOTE_BYTES_MAX, &[("tags", &self.tags)])?;
        Ok(Draft {
            id: 0,
            title,
            status: self.status.0.unwrap_or_else(|| STATUS_DEFAULT.to_owned()),
            author,
            domain: self.domain.0,
            file_path: self.file_path.0,
            created_at: now,
            updated_at: now,
            linked_task_id: self.linked_task_id.0,
            linked_project_id: self.linked_project_id.0,
            tags: self.tags.0,
            scope: self.scope.0.or_else(|| scope.map(str::to_owned)),
        })
    }
}

/// The body that changes a draft; only the fields that are present change.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of `Draft`")]
pub struct DraftPatch {
    pub title: PatchProse,
    pub status: PatchText,
    pub author: PatchText,
    pub domain: PatchText,
    pub file_path: PatchText,
    pub linked_task_id: PatchId,
    pub linked_project_id: PatchId,
    pub tags: PatchTags,
}

impl DraftPatch {
    /// Refuses a body that changes nothing, or that leaves the draft without what it must have.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.is_empty() {
            return Err(Refusal::invalid("No fields to update"));
        }
        check_required("title", &self.title)?;
        check_required("status", &self.status)?;
        check_required("author", &self.author)?;
        check_keys(&[
            ("status", &self.status),
            ("author", &self.author),
            ("domain", &self.domain),
            ("linked_task_id", &self.linked_task_id),
            ("linked_project_id", &self.linked_project_id),
        ])?;
        check_each(PATH_BYTES_MAX, &[("file_path", &self.file_path)])?;
        check_each(TITLE_BYTES_MAX, &[("title", &self.title)])?;
        check_each(NOTE_BYTES_MAX, &[("tags", &self.tags)])
    }

    fn is_empty(&self) -> bool {
        [
            self.title.is_absent(),
            self.status.is_absent(),
            self.author.is_absent(),
            self.domain.is_absent(),
            self.file_path.is_absent(),
            self.linked_task_id.is_absent(),
            self.linked_project_id.is_absent(),
            self.tags.is_absent(),
        ]
        .into_iter()
        .all(|is_absent| is_absent)
    }
}

/// The body that promotes a draft: the target, and its fields. The scope, the title, and the
/// content of a task default to those of the draft.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "to", rename_all = "lowercase")]
pub enum Promotion {
    /// Promotion to a task.
    Task(Box<NewTask>),
    /// Promotion to a project.
    Project(Box<NewProject>),
}

impl Promotion {
    /// Reads a body. What the draft becomes is looked at first, so that a field that is wrong is
    /// named like the same field in the body that makes a task or a project.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Target {
            to: Text,
        }
        let target: Target = parse_body(body)?;
        match target.to.0.as_deref() {
            Some("task") => Ok(Self::Task(parse_body(body)?)),
            Some("project") => Ok(Self::Project(parse_body(body)?)),
            Some(_) => Err(Refusal::invalid("to must be \"task\" or \"project\"")),
            None => Err(Refusal::invalid("Missing required field: to")),
        }
    }

    /// The scope the body names, if any.
    pub fn scope(&self) -> Option<&str> {
        match self {
            Self::Task(new) => new.scope.0.as_deref(),
            Self::Project(new) => new.scope.0.as_deref(),
        }
    }
}

/// The result of a promotion. Either the task or the project is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Promoted {
    /// The draft, linked to the task or project.
    pub draft: Draft,
    /// The created task.
    pub task: Option<TaskView>,
    /// The created project.
    pub project: Option<Project>,
}

impl Draft {
    /// Refuses to promote a draft twice.
    pub fn check_promotable(&self) -> Result<(), Refusal> {
        let (kind, id) = match (&self.linked_task_id, &self.linked_project_id) {
            (Some(task), _) => ("task", task),
            (None, Some(project)) => ("project", project),
            (None, None) => return Ok(()),
        };
        Err(Refusal::Duplicate(format!("Draft {} is linked to {kind} {id} already", self.id)))
    }

    /// The task that a body makes of this draft, as it is before the store has seen blockers and
    /// project.
    pub fn to_task(&self, mut new: NewTask, now: Millis) -> Result<Task, Refusal> {
        new.title.0.get_or_insert_with(|| self.title.clone());
        new.content.0.get_or_insert_with(|| self.title.clone());
        new.into_task(self.scope.as_deref(), now)
    }

    /// The project that a body makes of this draft.
    pub fn to_project(&self, mut new: NewProject, now: Millis) -> Result<Project, Refusal> {
        new.title.0.get_or_insert_with(|| self.title.clone());
        new.into_project(self.scope.as_deref(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::{DraftPatch, NewDraft, Promotion, parse_id};
    use crate::{input::parse_body, time::Millis};

    #[test]
    fn ids_are_strictly_integers() {
        assert_eq!(parse_id("12"), Ok(12));
        assert_eq!(parse_id("-1"), Ok(-1));
        for text in ["", "-", "2abc", "1e3", "1.0", " 2", "+2", "٣"] {
            let why = parse_id(text).unwrap_err().to_string();
            assert_eq!(why, "Draft ID must be an integer", "{text}");
        }
        assert_eq!(parse_id("9007199254740991"), Ok(9_007_199_254_740_991));
        for text in ["9007199254740992", "-9223372036854775808", "99999999999999999999"] {
            let why = parse_id(text).unwrap_err().to_string();
            assert_eq!(why, format!("Draft {text} not found"));
        }
    }

    #[test]
    fn tags_are_an_array_and_null_stays_null() {
        let tags = |value: &str| {
            let body = format!(r#"{{"title":"t","author":"a","tags":{value}}}"#);
            parse_body::<NewDraft>(body.as_bytes())
                .map(|new| new.into_draft(None, Millis(0)).unwrap().tags)
        };
        assert_eq!(tags(r#"["a","b"]"#), Ok(Some(r#"["a","b"]"#.to_owned())));
        assert_eq!(tags(r#""[\"a\"]""#), Ok(Some(r#"["a"]"#.to_owned())));
        assert_eq!(tags("[]"), Ok(Some("[]".to_owned())));
        assert_eq!(tags("null"), Ok(None));
        for bad in ["1", "true", "{}", r#""a,b""#] {
            assert_eq!(
                tags(bad).unwrap_err().to_string(),
                "Invalid value for tags: expected an array",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_patch_must_change_something_and_keep_what_is_required() {
        let text = |body: &str| {
            let patch: DraftPatch = parse_body(body.as_bytes()).unwrap();
            patch.check().map_err(|refusal| refusal.to_string())
        };
        let refused = |why: &str| Err(why.to_owned());
        assert_eq!(text(r#"{"scope":"s"}"#), refused("No fields to update"));
        assert_eq!(text(r#"{"author":null}"#), refused("author must not be null"));
        assert_eq!(text(r#"{"tags":null}"#), Ok(()));
    }

    #[test]
    fn a_promotion_says_what_the_draft_becomes() {
        let text = |body: &str| Promotion::parse(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(text("{}"), "Missing required field: to");
        assert_eq!(text(r#"{"to":"epic"}"#), "to must be \"task\" or \"project\"");
        assert_eq!(
            text(r#"{"to":"task","branch":[]}"#),
            "Invalid value for branch: invalid type: sequence, expected text"
        );
        assert!(matches!(
            Promotion::parse(br#"{"to":"project","id":"p"}"#),
            Ok(Promotion::Project(_))
        ));
    }
}
