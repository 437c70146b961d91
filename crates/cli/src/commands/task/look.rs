//! Looking at tasks.

use octopoid_client::{ExplainedTask, Listed, Query};
use octopoid_domain::{
    TaskView,
    event::Event,
    queue,
    run::{RunDetails, RunView},
    why::{Reason, Why as Reasons},
};
use serde_json::{Value, json};

use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Format, one_line, print, say},
    page::{Filters, Page},
    session::{Run, Session},
};

/// With the reasons why tasks wait, a page has so many of them at most.
const EXPLAINED_MAX: usize = 100;

/// The runs that `get` shows, the newest.
const RUNS_SHOWN: &str = "5";

/// List tasks.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub(crate) struct List {
    /// Only tasks in this queue; may be repeated.
    #[arg(long, value_name = "QUEUE", value_delimiter = ',')]
    queue: Vec<String>,
    /// Only tasks with this priority; may be repeated.
    #[arg(long, value_name = "PRIORITY", value_delimiter = ',')]
    priority: Vec<String>,
    /// Only tasks with this role; may be repeated.
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<String>,
    /// Only tasks that this agent holds.
    #[arg(long, value_name = "NAME")]
    held_by: Option<String>,
    /// Only tasks of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Only tasks that need a person.
    #[arg(long)]
    needs_intervention: bool,
    /// Only tasks that a claim would get.
    #[arg(long, conflicts_with = "waiting")]
    claimable: bool,
    /// Only tasks that no claim would get.
    #[arg(long)]
    waiting: bool,
    /// Show why each task waits.
    #[arg(long)]
    why: bool,
    /// The most urgent first, instead of the newest.
    #[arg(long)]
    by_priority: bool,
    #[command(flatten)]
    page: Page,
}

/// Show a task.
#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Print the patch of the newest run that has one.
    #[arg(long)]
    diff: bool,
}

/// Show the history of a task.
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// Id of the task, or its unique beginning or end.
    id: String,
    #[command(flatten)]
    page: Page,
}

/// List runs, or show one.
#[derive(Debug, clap::Args)]
pub(crate) struct Runs {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Show this run, with its result and its checkpoint.
    #[arg(long, value_name = "NUMBER")]
    run: Option<i64>,
    #[command(flatten)]
    page: Page,
}

/// Say why a task waits.
#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// Id of the task, or its unique beginning or end.
    id: String,
}

impl List {
    fn filters(&self) -> Filters {
        let claimable = match (self.claimable, self.waiting) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        Filters::default()
            .with_all("queue", &self.queue)
            .with_all("priority", &self.priority)
            .with_all("role", &self.role)
            .with("claimed_by", self.held_by.as_ref())
            .with("project_id", self.project.as_ref())
            .with("needs_intervention", self.needs_intervention.then_some(true))
            .with("claimable", claimable)
            .with("sort", self.by_priority.then_some("priority"))
    }
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let client = &session.client;
        let none = "no tasks: octopoid add \"TITLE\" makes one";
        if self.why {
            let printer = session.output.of::<ExplainedTask>()?;
            let ask = async |query: Query<'_>| client.list_explained_tasks(query).await;
            let tasks = self.page.read(&self.filters(), Some(EXPLAINED_MAX), ask).await?;
            return printer.many(&tasks, none);
        }
        let printer = session.output.of::<TaskView>()?;
        let ask = async |query: Query<'_>| client.list_tasks(query).await;
        printer.many(&self.page.read(&self.filters(), None, ask).await?, none)
    }
}

impl Run for Get {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let task =
            session.about_task(&self.id, async |id| session.client.get_task(id).await).await?;
        if self.diff {
            return diff(session, &task).await;
        }
        printer.one(&task)?;
        if session.output.is_for_people() {
            let why = session.client.explain_task(&task.id);
            let runs = session.client.list_task_runs(&task.id, &[("limit", RUNS_SHOWN)]);
            let (why, runs) = tokio::try_join!(why, runs)?;
            say(&format!("\n{}", next(&task, &why)))?;
            if !runs.items.is_empty() {
                print("\n")?;
                session.output.of::<RunView>()?.many(&runs, "")?;
            }
        }
        Ok(())
    }
}

/// What happens next to a task, in one sentence.
fn next(task: &TaskView, why: &Reasons) -> String {
    let id = &task.id;
    if task.queue == queue::PROVISIONAL {
        return format!(
            "in review: octopoid task accept {id}, or octopoid task reject {id} --reason TEXT"
        );
    }
    if why.claimable {
        return "waiting for an agent: a claim that fits gets it".to_owned();
    }
    let reasons: Vec<_> = why.reasons.iter().map(|reason| one_line(&reason.text)).collect();
    let hint = match &*task.queue {
        queue::FAILED | queue::CANCELLED => format!("; octopoid task retry {id} takes it up again"),
        _ => String::new(),
    };
    format!("{}{hint}", reasons.join("; "))
}

/// Prints the patch of the newest run that has one among those that `get` shows.
async fn diff(session: &Session, task: &TaskView) -> Outcome {
    let runs = session.client.list_task_runs(&task.id, &[("limit", RUNS_SHOWN)]).await?;
    for run in runs.items {
        let details = session.client.get_run(&task.id, run.run).await?;
        if let Some(patch) = details.result["patch"].as_str() {
            if session.output.is_for_people() {
                return session.output.verbatim(&format!("{}\n", patch.trim_end()));
            }
            let fields = json!({ "task_id": task.id, "run": run.run, "patch": patch });
            return session.output.sentence("", fields);
        }
    }
    Err(Failure::new(Exit::NotFound, format!("no run of {} has handed in a patch", task.id))
        .remedy(format!("octopoid task runs {} shows what they say", task.id)))
}

impl Run for History {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Event>()?;
        let ask = async |id: &str| {
            let page = async |query: Query<'_>| {
                let history = session.client.task_history(id, query).await?;
                let total = history.events.len();
                Ok(Listed { items: history.events, total, next_cursor: history.next_cursor })
            };
            self.page.read(&Filters::default(), None, page).await
        };
        let events = session.about_task(&self.id, ask).await?;
        printer.many(&events, "nothing has happened")
    }
}

impl Run for Runs {
    async fn run(&self, session: &Session) -> Outcome {
        let client = &session.client;
        if let Some(run) = self.run {
            let printer = session.output.of::<RunDetails>()?;
            let ask = async |id: &str| client.get_run(id, run).await;
            return printer.one(&session.about_task(&self.id, ask).await?);
        }
        let printer = session.output.of::<RunView>()?;
        let ask = async |id: &str| {
            let page = async |query: Query<'_>| client.list_task_runs(id, query).await;
            self.page.read(&Filters::default(), None, page).await
        };
        printer.many(&session.about_task(&self.id, ask).await?, "no agent has claimed it yet")
    }
}

impl Run for Why {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Reason>()?;
        let ask = async |id: &str| session.client.explain_task(id).await;
        let why = session.about_task(&self.id, ask).await?;
        if session.output.format == Format::Json && printer.has_all_fields() {
            let reasons: Value = serde_json::to_value(&why.reasons).unwrap_or_default();
            return session.output.json(json!({ "claimable": why.claimable, "reasons": reasons }));
        }
        let total = why.reasons.len();
        if why.claimable && session.output.is_for_people() {
            print("nothing keeps it from being claimed\n")?;
            if why.reasons.is_empty() {
                return Ok(());
            }
        }
        let reasons = Listed { items: why.reasons, total, next_cursor: None };
        printer.many(&reasons, "nothing keeps it from being claimed")
    }
}
