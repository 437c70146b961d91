//! `octopoid draft`: ideas that may become tasks or projects.

use clap::ValueEnum;
use octopoid_client::Query;
use octopoid_domain::{
    draft::{Draft, NewDraft, Promoted, Promotion, Tags},
    input::{Id, Prose, Text},
    project::NewProject,
    task::NewTask,
};

use crate::{
    commands::{project::patch, verbs},
    failure::Outcome,
    output::{Cell, Noun, Times, one_line},
    page::{Filters, Page},
    repository,
    session::{Run, Session},
};

verbs! {
    /// List drafts.
    List => List,
    /// Show a draft.
    Get => Get,
    /// Create a draft.
    Create => Create,
    /// Change a draft.
    Update => Update,
    /// Make a draft a task or a project.
    Promote => Promote,
    /// Delete a draft.
    Delete => Delete,
}

impl Noun for Draft {
    const MANY: &'static str = "drafts";
    const COLUMNS: &'static [&'static str] = &["ID", "STATUS", "TITLE", "AUTHOR", "UPDATED"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            Cell::new(self.id.to_string()),
            Cell::new(&self.status),
            Cell::new(&self.title),
            Cell::new(&self.author),
            times.cell(self.updated_at),
        ]
    }
}

impl Noun for Promoted {
    const MANY: &'static str = "promotions";
    const COLUMNS: &'static [&'static str] = &["DRAFT", "BECAME"];

    fn example() -> Self {
        Self { draft: Draft::default(), task: None, project: None }
    }

    /// The id of the task or the project.
    fn id(&self) -> String {
        let task = self.task.as_ref().map(|task| task.id.clone());
        task.or(self.project.as_ref().map(|project| project.id.clone())).unwrap_or_default()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(self.draft.id.to_string()), Cell::new(self.id())]
    }
}

/// List drafts.
#[derive(Debug, clap::Args)]
struct List {
    /// Only drafts with this status; may be repeated.
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<String>,
    /// Only drafts of this author.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Only drafts of this domain.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Show a draft.
#[derive(Debug, clap::Args)]
struct Get {
    /// Number of the draft.
    id: i64,
}

/// Create a draft.
#[derive(Debug, clap::Args)]
struct Create {
    /// Title.
    #[arg(value_name = "TITLE")]
    name: String,
    /// Author [default: the user].
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Status [default: idea].
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Domain, a convention of the team.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Path of its file.
    #[arg(long, value_name = "PATH")]
    file_path: Option<String>,
    /// Tag; may be repeated.
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tag: Vec<String>,
}

/// Change a draft.
#[derive(Debug, clap::Args)]
struct Update {
    /// Number of the draft.
    id: i64,
    /// Title.
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// Status.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Domain; an empty text clears it.
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Path of its file; an empty text clears it.
    #[arg(long, value_name = "PATH")]
    file_path: Option<String>,
}

/// Promote a draft.
#[derive(Debug, clap::Args)]
struct Promote {
    /// Number of the draft.
    id: i64,
    /// What it becomes.
    #[arg(long, value_enum, default_value_t, value_name = "NOUN")]
    to: Target,
    /// Id of the task or the project [default: draft-NUMBER].
    #[arg(long, value_name = "ID")]
    new_id: Option<String>,
    /// Path of the task's file [default: that of the draft, or tasks/ID.md].
    #[arg(long, value_name = "PATH")]
    file_path: Option<String>,
    /// Branch [default: of a task, the one that is checked out here, or main; of a project, its id].
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Priority of the task.
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<String>,
}

/// What a draft becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Target {
    /// A task.
    #[default]
    Task,
    /// A project.
    Project,
}

/// Delete a draft.
#[derive(Debug, clap::Args)]
struct Delete {
    /// Number of the draft.
    id: i64,
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Draft>()?;
        let filters = Filters::default()
            .with_all("status", &self.status)
            .with("author", self.author.as_ref())
            .with("domain", self.domain.as_ref());
        let ask = async |query: Query<'_>| session.client.list_drafts(query).await;
        let none = "no drafts: octopoid draft create TITLE makes one";
        printer.many(&self.page.read(&filters, None, ask).await?, none)
    }
}

impl Run for Get {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Draft>()?;
        printer.one(&session.client.get_draft(self.id).await?)
    }
}

impl Run for Create {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Draft>()?;
        let tags = (!self.tag.is_empty()).then(|| serde_json::json!(self.tag).to_string());
        let new = NewDraft {
            title: Prose(Some(self.name.clone())),
            author: Text(Some(session.by(self.author.as_ref()))),
            status: Text(self.status.clone()),
            domain: Text(self.domain.clone()),
            file_path: Text(self.file_path.clone()),
            tags: Tags(tags),
            ..NewDraft::default()
        };
        let draft = session.client.create_draft(&new).await?;
        let sentence = format!("created draft {}  {}", draft.id, one_line(&draft.title));
        printer.changed(&draft, &sentence)
    }
}

impl Run for Update {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Draft>()?;
        let patch = patch(&[
            ("title", &self.title),
            ("status", &self.status),
            ("domain", &self.domain),
            ("file_path", &self.file_path),
        ])?;
        let draft = session.client.update_draft(self.id, &patch).await?;
        printer.changed(&draft, &format!("changed draft {}", draft.id))
    }
}

impl Run for Promote {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Promoted>()?;
        let id = self.new_id.clone().unwrap_or_else(|| format!("draft-{}", self.id));
        let branch = self.branch.clone();
        let promotion = match self.to {
            Target::Task => {
                let path = match &self.file_path {
                    Some(path) => Some(path.clone()),
                    None => session.client.get_draft(self.id).await?.file_path,
                };
                Promotion::Task(Box::new(NewTask {
                    file_path: Text(Some(path.unwrap_or_else(|| format!("tasks/{id}.md")))),
                    id: Id(Some(id)),
                    branch: Text(Some(branch.unwrap_or_else(repository::branch))),
                    priority: Text(self.priority.clone()),
                    flow: Text(session.settings.flow.as_ref().map(|flow| flow.value.clone())),
                    ..NewTask::default()
                }))
            }
            Target::Project => Promotion::Project(Box::new(NewProject {
                branch: Text(Some(branch.unwrap_or_else(|| id.clone()))),
                id: Id(Some(id)),
                created_by: Text(Some(session.by(None))),
                ..NewProject::default()
            })),
        };
        let promoted = session.client.promote_draft(self.id, &promotion).await?;
        let noun = if promoted.task.is_some() { "task" } else { "project" };
        let sentence = format!("draft {} is {noun} {} now", self.id, promoted.id());
        printer.changed(&promoted, &sentence)
    }
}

impl Run for Delete {
    async fn run(&self, session: &Session) -> Outcome {
        session.client.delete_draft(self.id).await?;
        session.deleted("draft", &self.id.to_string())
    }
}
