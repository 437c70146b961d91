//! `octopoid add`: tasks from a title, or from a file with a list of them.

mod plan;

use std::path::{Path, PathBuf};

use octopoid_client::{Error, Listed};
use octopoid_domain::{
    Millis, TaskView, Traceparent,
    input::{Flag, Id, Instant, Prose, Text},
    task::{Attempts, NewTask, path_of, short_id},
};

use crate::{
    clock::instant,
    commands::read_text,
    failure::{Failure, Outcome},
    output::{one_line, say},
    random, repository,
    session::{Run, Session},
};

/// How many random ids are tried if they are taken.
const IDS_TRIED: u32 = 5;

/// The arguments of `add` and of `task create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Title of the task.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    title: Option<String>,
    /// Markdown file with a list of tasks; `-` is the standard input. Each heading of the second
    /// level is a task, or, without such headings, each item of a list.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// With --file: each task waits for the one before it.
    #[arg(long, requires = "file")]
    in_order: bool,
    /// What is to be done; `-` reads it from the standard input.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "file")]
    content: Option<String>,
    /// Priority: P0 is the most urgent, P3 the least.
    #[arg(short, long, value_name = "PRIORITY")]
    priority: Option<String>,
    /// Role that an agent must have.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Type of the task, a convention of the team.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Size of the task, by convention XS, S, M, L or XL.
    #[arg(long, value_name = "SIZE")]
    complexity: Option<String>,
    /// Wait until this task is done; may be repeated.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    after: Vec<String>,
    /// Project that it belongs to, whose branch it gets.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Flow that it follows [default: that of octopoid up, if it runs here].
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// Queue to begin in [default: incoming].
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Base branch [default: the one that is checked out here, or main].
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Id of the task [default: eight random hexadecimal digits].
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    id: Option<String>,
    /// Path of the task's file, unique in the scope [default: tasks/ID.md].
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    file_path: Option<String>,
    /// Not before this instant, or this duration from now.
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    not_before: Option<Millis>,
    /// Number of failed attempts after which it is failed, 1 to 100 [default: 3].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..=100))]
    max_attempts: Option<i64>,
    /// Mark it as one that needs no review, for clients that heed this.
    #[arg(long)]
    auto_accept: bool,
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let Some(file) = &self.file else {
            let content = self.content.as_deref().map(content).transpose()?;
            let title = self.title.clone().unwrap_or_default();
            if title.trim().is_empty() {
                return Err(Failure::usage("the title is blank")
                    .remedy("say in a few words what is to be done: octopoid add \"TITLE\""));
            }
            let new = self.new_task(session, title, content, &self.after);
            let task = self.create(session, new).await?;
            return printer.changed(&task, &added(&task));
        };
        let entries = plan::entries(&read_text(file)?);
        if entries.is_empty() {
            return Err(Failure::usage(format!("there are no tasks in {}", file.display()))
                .remedy(
                    "write each one as a heading of the second level, or as an item of a list",
                ));
        }
        let count = entries.len();
        let (mut tasks, mut after) = (Vec::new(), self.after.clone());
        for entry in entries {
            let mut new = self.new_task(session, entry.title, entry.content, &after);
            if let Some(priority) = entry.priority {
                new.priority = priority.into();
            }
            let task = self.create(session, new).await.map_err(|failure| {
                let made: Vec<_> = tasks.iter().map(|task: &TaskView| &*task.id).collect();
                match made.len() {
                    0 => failure,
                    made_count => failure.remedy(format!(
                        "{made_count} of {count} tasks were added before: {}",
                        made.join(", ")
                    )),
                }
            })?;
            if self.in_order {
                after = vec![task.id.clone()];
            }
            if session.output.is_for_people() {
                say(&added(&task))?;
            }
            tasks.push(task);
        }
        if session.output.is_for_people() {
            return Ok(());
        }
        printer.many(&Listed { total: count, items: tasks, next_cursor: None }, "")
    }
}

impl Args {
    fn new_task(
        &self,
        session: &Session,
        title: String,
        content: Option<String>,
        after: &[String],
    ) -> NewTask {
        let flow = session.settings.flow.as_ref().map(|flow| flow.value.clone());
        NewTask {
            id: Id(self.id.clone()),
            file_path: Text(self.file_path.clone()),
            branch: Text(Some(self.branch.clone().unwrap_or_else(repository::branch))),
            title: Prose(Some(title)),
            content: Prose(content),
            queue: Text(self.queue.clone()),
            priority: Text(self.priority.clone()),
            complexity: Text(self.complexity.clone()),
            role: Text(self.role.clone()),
            kind: Text(self.kind.clone()),
            blocked_by: Id((!after.is_empty()).then(|| after.join(","))),
            project_id: Id(self.project.clone()),
            flow: Text(self.flow.clone().or(flow)),
            auto_accept: Flag(self.auto_accept),
            not_before: Instant(self.not_before),
            max_attempts: Attempts(self.max_attempts),
            ..NewTask::default()
        }
    }

    /// Creates a task. If a random id is taken, another one is tried.
    async fn create(&self, session: &Session, mut new: NewTask) -> Outcome<TaskView> {
        let mut tries = 0;
        let client = match caller_trace() {
            Some(trace) => &session.client.clone().with_trace(trace),
            None => &session.client,
        };
        loop {
            tries += 1;
            if self.id.is_none() {
                new.id = Id(Some(short_id(random::number())));
            }
            if self.file_path.is_none() {
                let id = new.id.0.as_deref().unwrap_or_default();
                new.file_path = Text(Some(path_of(id)));
            }
            match client.create_task(&new).await {
                Err(Error::Refused { code, .. })
                    if code == "already_exists" && self.id.is_none() && tries < IDS_TRIED => {}
                answer => return Ok(answer?),
            }
        }
    }
}

/// The trace that the caller of this program works in, as OpenTelemetry passes it to programs.
fn caller_trace() -> Option<Traceparent> {
    std::env::var("TRACEPARENT").ok()?.parse().ok()
}

fn added(task: &TaskView) -> String {
    let waits = task.blocked_by.as_ref().map(|ids| format!("  after {}", one_line(ids)));
    let title = one_line(task.title.as_deref().unwrap_or_default());
    format!("added {}  {title}{}", task.id, waits.unwrap_or_default())
}

fn content(text: &str) -> Outcome<String> {
    if text == "-" { read_text(Path::new("-")) } else { Ok(text.to_owned()) }
}
