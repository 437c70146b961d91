//! `task_finish`: hands work in, gives it back, or judges it.

use futures_util::FutureExt as _;
use octopoid_domain::{
    TaskView,
    flow::{APPROVED, Flow},
    queue,
};
use serde_json::{Map, Value, json};

use super::{Caller, Outcome, Tool, read};
use crate::{
    arguments::Arguments,
    backend::Call,
    failure::Failure,
    parameter::{Kind, optional, required},
};

const OUTCOMES: &[&str] = &["submit", "fail", "release", "accept", "reject"];

/// The reasons of failures that a model can tell apart.
const REASONS: &[&str] =
    &["other", "needs_input", "blocked", "check_failed", "missing_tool", "no_change"];

pub(super) const TOOL: Tool = Tool {
    name: "task_finish",
    title: "Finish a task",
    description: "End your work on a task: submit it for review, fail (a question with reason \
                  needs_input waits for a person), or release it for others. Reviewers accept or \
                  reject.",
    is_read: false,
    is_idempotent: false,
    parameters: &[
        required("task_id", Kind::Text, ""),
        required("outcome", Kind::Choice(OUTCOMES), ""),
        optional("lease_token", Kind::Text, "Required, except for a person's verdict"),
        optional("message", Kind::Text, "Why it failed, the question, or what to change"),
        optional("reason", Kind::Choice(REASONS), "Of a failure"),
        optional("summary", Kind::Text, "What was done"),
        optional("branch", Kind::Text, "With the work"),
        optional("pr_url", Kind::Text, "Pull request"),
        optional("commits", Kind::Integer(0, 1_000_000), ""),
        optional("agent", Kind::Text, "Your name"),
    ],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let outcome = arguments.required("outcome");
    let is_verdict = matches!(outcome, "accept" | "reject");
    if arguments.text("lease_token").is_none() && !is_verdict {
        let text = format!(
            "`lease_token` is required to {outcome}: it is the one that task_next returned"
        );
        return Err(Failure::new(text));
    }
    let (operation, body) = match outcome {
        "submit" => ("submit", submission(&arguments)),
        "accept" => ("accept", accepted(caller, &arguments).await?),
        "reject" => ("reject", rejected(caller, &arguments)?),
        "release" => ("fail", released(&arguments)),
        _ => ("fail", failed(&arguments)?),
    };
    let call = Call::post(&["tasks", arguments.required("task_id"), operation], body);
    let task: TaskView = caller.ask(call).await?;
    Ok(said(outcome, &task))
}

fn submission(arguments: &Arguments) -> Value {
    let mut result = Map::new();
    for name in ["summary", "branch", "pr_url"] {
        result.extend(arguments.text(name).map(|value| (name.to_owned(), json!(value))));
    }
    json!({
        "lease_token": arguments.text("lease_token"),
        "commits_count": arguments.integer("commits").unwrap_or_default(),
        "turns_used": 0,
        "execution_notes": arguments.text("message"),
        "result": result,
    })
}

fn failed(arguments: &Arguments) -> Result<Value, Failure> {
    let Some(message) = arguments.text("message") else {
        return Err(Failure::new("`message` is required to fail: what happened, or the question"));
    };
    let reason = arguments.text("reason").unwrap_or(REASONS[0]);
    Ok(json!({
        "lease_token": arguments.text("lease_token"),
        "reason": reason,
        "message": message,
    }))
}

/// To give work back counts as no attempt.
fn released(arguments: &Arguments) -> Value {
    json!({
        "lease_token": arguments.text("lease_token"),
        "reason": "drained",
        "message": arguments.text("message").unwrap_or("released by its agent"),
    })
}

fn rejected(caller: Caller<'_>, arguments: &Arguments) -> Result<Value, Failure> {
    let Some(message) = arguments.text("message") else {
        let text = "`message` is required to reject: it tells the next attempt what to change";
        return Err(Failure::new(text));
    };
    Ok(json!({
        "lease_token": arguments.text("lease_token"),
        "rejected_by": caller.agent(arguments.text("agent")),
        "reason": message,
    }))
}

async fn accepted(caller: Caller<'_>, arguments: &Arguments) -> Result<Value, Failure> {
    let task: TaskView = caller.ask(Call::get(&["tasks", arguments.required("task_id")])).await?;
    let mut body = json!({
        "lease_token": arguments.text("lease_token"),
        "accepted_by": caller.agent(arguments.text("agent")),
    });
    if let Some(queue) = onward(caller, &task).await? {
        body["queue"] = json!(queue);
    }
    Ok(body)
}

/// The queue into which its flow takes accepted work, unless it is done then.
async fn onward(caller: Caller<'_>, task: &TaskView) -> Result<Option<&'static str>, Failure> {
    let Some(flow) = task.flow.as_deref().filter(|_| task.queue == queue::PROVISIONAL) else {
        return Ok(None);
    };
    let answer = caller.answer(Call::get(&["flows", flow])).await?;
    // A flow need not be registered.
    if answer.status == 404 {
        return Ok(None);
    }
    Ok(read::<Flow>(&answer)?.after_review())
}

/// What became of the task, and what comes next.
fn said(outcome: &str, task: &TaskView) -> String {
    let TaskView { id, queue, .. } = task;
    let next = match (outcome, queue.as_str()) {
        (_, queue::CANCELLED) => "It is cancelled, as a person wanted.",
        (_, queue::DONE) => "It is done, and what waited for it can be claimed.",
        ("submit", _) => "It waits for a review. task_next gives you other work.",
        ("accept", APPROVED) => "It waits to be merged.",
        ("reject", _) => "The next attempt is told why.",
        ("release", _) => "Others can take it.",
        (_, queue::FAILED) => "It will not be tried again unless a person wants it.",
        _ if task.needs_intervention => "It waits for a person's answer.",
        _ => "It will be tried again.",
    };
    format!("{id} is in {queue} now. {next}")
}
