//! `task_get`: a task with all that was said about it.

use std::fmt::Write as _;

use futures_util::{FutureExt as _, future::try_join4};
use octopoid_domain::{
    TaskView,
    message::Message,
    run::{Kind, RunDetails, RunView},
    why::Why,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Caller, Outcome, Tool};
use crate::{
    arguments::Arguments,
    backend::Call,
    failure::Failure,
    parameter::{self, optional, required},
    text,
};

/// How many runs are shown: the newest.
const RUNS: &str = "20";

/// How many runs are searched for a result and a checkpoint.
const LOOKED_AT: usize = 3;

pub(super) const TOOL: Tool = Tool {
    name: "task_get",
    title: "Show a task",
    description: "A task with its content, why it waits, its runs, the last result and checkpoint, \
                  and its thread of messages and feedback.",
    is_read: true,
    is_idempotent: true,
    parameters: &[
        required("task_id", parameter::Kind::Text, ""),
        optional("offset", parameter::Kind::Integer(0, i64::MAX), "Read on from here"),
    ],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

#[derive(Deserialize)]
struct Runs {
    runs: Vec<RunView>,
}

#[derive(Deserialize)]
struct Thread {
    messages: Vec<Message>,
}

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let id = arguments.required("task_id");
    // Without a limit, these are the newest 50.
    let thread = Call::get(&["tasks", id, "messages"]);
    let runs = Call::get(&["tasks", id, "runs"]).with("limit", RUNS);
    let (task, why, Runs { runs }, Thread { messages }): (TaskView, Why, _, _) = try_join4(
        caller.ask(Call::get(&["tasks", id])),
        caller.ask(Call::get(&["tasks", id, "why"])),
        caller.ask(runs),
        caller.ask(thread),
    )
    .await?;
    let mut text = String::new();
    text::head(&mut text, &task);
    text::reasons(&mut text, why.claimable, &why.reasons);
    if !runs.is_empty() {
        text.push_str("\n## Runs, the newest first\n");
        for run in &runs {
            let _ = writeln!(text, "* {}", text::run(run));
            if let Some(progress) = run.progress.as_ref().filter(|_| run.ended_at.is_none()) {
                let _ = writeln!(text, "  {}", text::progress(progress));
            }
        }
    }
    text::messages(&mut text, "Thread", &messages, usize::MAX);
    // A patch may be long, so it comes last.
    last(&mut text, caller, id, &runs).await?;
    Ok(text::page(&text, arguments.integer("offset").unwrap_or_default(), "call task_get"))
}

/// The newest result and the newest checkpoint among the last runs for work.
async fn last(
    text: &mut String,
    caller: Caller<'_>,
    id: &str,
    runs: &[RunView],
) -> Result<(), Failure> {
    let (mut has_result, mut has_checkpoint) = (false, false);
    for run in runs.iter().filter(|run| run.kind == Kind::Work).take(LOOKED_AT) {
        let number = run.run.to_string();
        let RunDetails { result, checkpoint, .. } =
            caller.ask(Call::get(&["tasks", id, "runs", &number])).await?;
        if !has_checkpoint && !checkpoint.is_null() {
            has_checkpoint = true;
            let _ = writeln!(text, "\n## Checkpoint of run {number}\n{checkpoint}");
        }
        if let Some(result) = result.as_object().filter(|_| !has_result) {
            has_result = true;
            let _ = writeln!(text, "\n## Result of run {number}");
            result_lines(text, result);
        }
        if has_result && has_checkpoint {
            break;
        }
    }
    Ok(())
}

/// A result, of which the patch may be long and comes last.
fn result_lines(text: &mut String, result: &Map<String, Value>) {
    let (patch, rest): (Vec<_>, Vec<_>) = result.iter().partition(|(name, _)| *name == "patch");
    for (name, value) in rest.into_iter().chain(patch) {
        let gap = if name == "patch" { '\n' } else { ' ' };
        let _ = match value.as_str() {
            Some(value) => writeln!(text, "{name}:{gap}{}", value.trim_end()),
            None => writeln!(text, "{name}:{gap}{value}"),
        };
    }
}
