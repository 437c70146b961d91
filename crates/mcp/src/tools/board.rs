//! `board`: what runs, what waits and why, and what needs a person.

use std::fmt::Write as _;

use futures_util::{
    FutureExt as _,
    future::{try_join3, try_join4},
};
use octopoid_domain::{TaskView, action::Action, run::RunningView, summary::Summary, why::Waiting};
use serde::Deserialize;

use super::{Caller, Outcome, Tool};
use crate::{
    arguments::Arguments,
    backend::Call,
    failure::Failure,
    parameter::{Kind, optional},
    text,
};

/// The rows of a page: they fit into an answer.
const ROWS: &str = "30";
/// The longest row.
const LINE_BYTES_MAX: usize = 240;
/// The rows of each part of the overview.
const FIRST: &str = "10";

const VIEWS: &[&str] = &["overview", "tasks"];

pub(super) const TOOL: Tool = Tool {
    name: "board",
    title: "Look at the queue",
    description: "The queue: counts, what runs, what waits and why, what needs a person. With any \
                  filter, or view tasks, a list of tasks instead.",
    is_read: true,
    is_idempotent: true,
    parameters: &[
        optional("view", Kind::Choice(VIEWS), ""),
        optional("queue", Kind::Text, "incoming, claimed, provisional, done, failed, …"),
        optional("search", Kind::Text, "In titles and ids"),
        optional("role", Kind::Text, ""),
        optional("project", Kind::Text, ""),
        optional("cursor", Kind::Text, "Next page"),
    ],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<Row>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    task: TaskView,
    #[serde(default)]
    waiting: Option<Waiting>,
}

#[derive(Deserialize)]
struct Actions {
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Running {
    runs: Vec<RunningView>,
}

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let filters = ["queue", "search", "role", "project", "cursor"];
    let has_filter = filters.iter().any(|name| arguments.text(name).is_some());
    if has_filter || arguments.text("view") == Some("tasks") {
        return tasks(caller, &arguments).await;
    }
    overview(caller).await
}

/// A page of tasks, each with the first reason why it waits.
async fn tasks(caller: Caller<'_>, arguments: &Arguments) -> Outcome {
    let call = Call::get(&["tasks"])
        .with("include", "waiting")
        .with("limit", ROWS)
        .with_some("queue", arguments.text("queue"))
        .with_some("search", arguments.text("search"))
        .with_some("role", arguments.text("role"))
        .with_some("project_id", arguments.text("project"))
        // Without one, the answer would be the first server's, which has no cursor.
        .with("cursor", arguments.text("cursor").unwrap_or_default());
    let Tasks { tasks, next_cursor } = caller.ask(call).await?;
    if tasks.is_empty() {
        return Ok("No tasks match.".to_owned());
    }
    let mut text = String::new();
    rows(&mut text, &tasks);
    if let Some(cursor) = next_cursor {
        let _ = write!(text, "More: call board with the same filters and cursor={cursor}");
    }
    Ok(text)
}

fn rows(text: &mut String, rows: &[Row]) {
    for Row { task, waiting } in rows {
        let mut line = format!("* {}", text::line(task));
        if let Some(waiting) = waiting {
            let _ = write!(line, " — {}", text::short(&waiting.text));
        }
        let _ = writeln!(text, "{}", text::bounded(&line, LINE_BYTES_MAX));
    }
}

async fn overview(caller: Caller<'_>) -> Outcome {
    let waiting = Call::get(&["tasks"])
        .with("claimable", "false")
        .with("queue", "incoming")
        .with("include", "waiting")
        .with("limit", FIRST);
    let running = Call::get(&["runs"]).with("outcome", "running").with("limit", FIRST);
    let (summary, Tasks { tasks, .. }, Running { runs }, person) = try_join4(
        caller.ask(Call::get(&["summary"])),
        caller.ask(waiting),
        caller.ask(running),
        needs_person(caller),
    )
    .await?;
    let mut text = counts(&summary);
    text.push_str(&person);
    if !runs.is_empty() {
        text.push_str("\n## Running\n");
        for RunningView { run, title, queue: _ } in &runs {
            let title = title.as_deref().map(text::short).unwrap_or_default();
            let agent = run.agent.as_deref().unwrap_or("unknown");
            let progress =
                run.progress.as_ref().map(|progress| format!(" — {}", text::progress(progress)));
            let since = run.started_at.to_iso();
            let _ = writeln!(
                text,
                "* {}  {title}  ({}, by {agent} since {since}){}",
                run.task_id,
                run.kind.as_str(),
                progress.unwrap_or_default()
            );
        }
    }
    if !tasks.is_empty() {
        text.push_str("\n## Waiting, and why\n");
        rows(&mut text, &tasks);
    }
    text.push_str("\nEach part has at most 10 rows: board with view=tasks lists all tasks.");
    Ok(text)
}

fn counts(summary: &Summary) -> String {
    let list = |counts: &std::collections::BTreeMap<String, i64>| {
        let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    };
    let day = |count: fn(&octopoid_domain::summary::HourCounts) -> i64| -> i64 {
        summary.hours.iter().map(count).sum()
    };
    let (done, failed) = (day(|hour| hour.done), day(|hour| hour.failed));
    let mut text = format!("# {}\n", summary.scope);
    let _ = writeln!(text, "Tasks by queue: {}", list(&summary.queues));
    let _ = writeln!(
        text,
        "Can be claimed: {}; waiting: {}",
        summary.claimable,
        list(&summary.waiting)
    );
    let _ = writeln!(text, "In 24 hours: {done} done, {failed} failed");
    text
}

/// What a person has to decide: questions, proposals, work without a reviewer, and tasks in trouble.
async fn needs_person(caller: Caller<'_>) -> Result<String, Failure> {
    let actions = Call::get(&["actions"]).with("status", "proposed").with("limit", FIRST);
    let review = Call::get(&["tasks"]).with("queue", "provisional").with("limit", FIRST);
    let trouble = Call::get(&["tasks"]).with("needs_intervention", "true").with("limit", FIRST);
    let (actions, review, trouble): (Actions, Tasks, Tasks) =
        try_join3(caller.ask(actions), caller.ask(review), caller.ask(trouble)).await?;
    let mut text = String::new();
    for action in &actions.actions {
        let Action { id, action_type, entity_type, entity_id, label, .. } = action;
        let label = text::short(label);
        let entity_id = text::short(entity_id);
        let _ = writeln!(text, "* {action_type} {id} about {entity_type} {entity_id}: {label}");
    }
    for Row { task, .. } in review.tasks.iter().filter(|row| row.task.claimed_by.is_none()) {
        let _ = writeln!(text, "* review {}", text::line(task));
    }
    let is_asked =
        |task: &TaskView| actions.actions.iter().any(|action| action.entity_id == task.id);
    for Row { task, .. } in trouble.tasks.iter().filter(|row| !is_asked(&row.task)) {
        let _ = writeln!(text, "* look at {}", text::line(task));
    }
    if text.is_empty() {
        return Ok("Nothing needs a person.\n".to_owned());
    }
    Ok(format!(
        "\n## Needs a person\n{text}Answer a question with message (question_id); accept or reject with \
         task_finish.\n"
    ))
}
