//! `octopoid project`: groups of tasks that share a branch.

use octopoid_client::Query;
use octopoid_domain::{
    TaskView,
    input::{Flag, Id, Prose, Text},
    project::{NewProject, Project},
};
use serde_json::{Map, Value};

use crate::{
    commands::verbs,
    failure::{Failure, Outcome},
    output::{Cell, Noun, Times, one_line},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// List projects.
    List => List,
    /// Show a project.
    Get => Get,
    /// List the tasks of a project, the most urgent first.
    Tasks => Tasks,
    /// Create a project.
    Create => Create,
    /// Change a project.
    Update => Update,
    /// Delete a project that has no tasks.
    Delete => Delete,
}

impl Noun for Project {
    const MANY: &'static str = "projects";
    const COLUMNS: &'static [&'static str] = &["ID", "STATUS", "TITLE", "BRANCH", "CREATED"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::new(&self.status),
            Cell::new(&self.title),
            Cell::maybe(self.branch.as_ref()),
            times.cell(self.created_at),
        ]
    }
}

/// List projects.
#[derive(Debug, clap::Args)]
struct List {
    /// Only projects with this status.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only projects that this person created.
    #[arg(long, value_name = "NAME")]
    created_by: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Show a project.
#[derive(Debug, clap::Args)]
struct Get {
    /// Id of the project.
    id: String,
}

/// List the tasks of a project.
#[derive(Debug, clap::Args)]
struct Tasks {
    /// Id of the project.
    id: String,
    #[command(flatten)]
    page: Page,
}

/// Create a project.
#[derive(Debug, clap::Args)]
struct Create {
    /// Id of the project.
    id: String,
    /// Title.
    #[arg(value_name = "TITLE")]
    name: String,
    /// Branch that its tasks share [default: the id].
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Branch that it was taken from [default: main].
    #[arg(long, value_name = "BRANCH")]
    base_branch: Option<String>,
    /// What it is about.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Status [default: draft].
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Flow of the project.
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// Mark its tasks as ones that need no review, for clients that heed this.
    #[arg(long)]
    auto_accept: bool,
}

/// Change a project.
#[derive(Debug, clap::Args)]
struct Update {
    /// Id of the project.
    id: String,
    /// Title.
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// Status.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// What it is about.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Branch that its tasks share.
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// URL of its pull request.
    #[arg(long, value_name = "URL")]
    pr_url: Option<String>,
}

/// Delete a project.
#[derive(Debug, clap::Args)]
struct Delete {
    /// Id of the project.
    id: String,
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Project>()?;
        let filters = Filters::default()
            .with("status", self.status.as_ref())
            .with("created_by", self.created_by.as_ref());
        let ask = async |query: Query<'_>| session.client.list_projects(query).await;
        let none = "no projects: octopoid project create ID TITLE makes one";
        printer.many(&self.page.read(&filters, None, ask).await?, none)
    }
}

impl Run for Get {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Project>()?;
        printer.one(&session.client.get_project(&self.id).await?)
    }
}

impl Run for Tasks {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let ask = async |query: Query<'_>| session.client.list_project_tasks(&self.id, query).await;
        let tasks = self.page.read(&Filters::default(), None, ask).await?;
        printer.many(&tasks, "no tasks: octopoid add TITLE --project ID makes one")
    }
}

impl Run for Create {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Project>()?;
        let new = NewProject {
            id: Id(Some(self.id.clone())),
            title: Prose(Some(self.name.clone())),
            branch: Text(Some(self.branch.as_ref().unwrap_or(&self.id).clone())),
            base_branch: Text(self.base_branch.clone()),
            description: Prose(self.description.clone()),
            status: Text(self.status.clone()),
            flow: Text(self.flow.clone()),
            auto_accept: Flag(self.auto_accept),
            created_by: Text(Some(session.by(None))),
            ..NewProject::default()
        };
        let project = session.client.create_project(&new).await?;
        let sentence = format!("created project {}  {}", project.id, one_line(&project.title));
        printer.changed(&project, &sentence)
    }
}

impl Run for Update {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Project>()?;
        let fields = [
            ("title", &self.title),
            ("status", &self.status),
            ("description", &self.description),
            ("branch", &self.branch),
            ("pr_url", &self.pr_url),
        ];
        let patch = patch(&fields)?;
        let project = session.client.update_project(&self.id, &patch).await?;
        printer.changed(&project, &format!("changed project {}", project.id))
    }
}

/// The body of a partial update with the fields that were given. An empty text clears a field.
pub(super) fn patch(fields: &[(&str, &Option<String>)]) -> Outcome<Value> {
    let value = |text: &String| match &**text {
        "" => Value::Null,
        text => text.into(),
    };
    let given = fields.iter().filter_map(|(name, text)| Some((*name, value(text.as_ref()?))));
    let patch: Map<_, _> = given.map(|(name, value)| (name.to_owned(), value)).collect();
    if patch.is_empty() {
        let flags = fields.iter().map(|(name, _)| format!("--{}", name.replace('_', "-")));
        let flags = flags.collect::<Vec<_>>().join(", ");
        return Err(
            Failure::usage("there is nothing to change").remedy(format!("say what: {flags}"))
        );
    }
    Ok(patch.into())
}

impl Run for Delete {
    async fn run(&self, session: &Session) -> Outcome {
        session.client.delete_project(&self.id).await?;
        session.deleted("project", &self.id)
    }
}
