//! `task_next`: claims the most urgent task.

use std::fmt::Write as _;

use futures_util::FutureExt as _;
use octopoid_domain::{ClaimedTask, PreviousRun, queue};
use serde_json::{Value, json};

use super::{Caller, LEASE, Outcome, Tool, lease_seconds, read};
use crate::{
    arguments::Arguments,
    backend::Call,
    parameter::{Kind, optional},
    text,
};

/// The longest wait in seconds: some clients give up after a minute.
const WAIT_MAX: i64 = 50;

/// The machine that claims are made for.
const MACHINE: &str = "mcp";

pub(super) const TOOL: Tool = Tool {
    name: "task_next",
    title: "Take the next task",
    description: "Claim the most urgent task that waits, to work on it yourself, or, with review, \
                  finished work to judge. Returns the task and its lease_token.",
    is_read: false,
    is_idempotent: false,
    parameters: &[
        optional("agent", Kind::Text, "Your name"),
        optional("roles", Kind::Texts, "Only tasks for these roles"),
        optional("queue", Kind::Text, ""),
        optional("review", Kind::Flag, "Take work to review"),
        optional("wait_seconds", Kind::Integer(0, WAIT_MAX), "Wait for a task"),
        LEASE,
    ],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let is_review = arguments.is_set("review");
    let queue = arguments.text("queue").or(is_review.then_some(queue::PROVISIONAL));
    let body = json!({
        "orchestrator_id": MACHINE,
        "agent_name": caller.agent(arguments.text("agent")),
        "role_filter": arguments.texts("roles"),
        "queue": queue,
        "in_place": is_review,
        "lease_duration_seconds": lease_seconds(&arguments),
    });
    let mut call = Call::post(&["tasks", "claim"], body);
    call.wait_seconds = arguments.integer("wait_seconds").map(i64::unsigned_abs);
    let answer = caller.answer(call).await?;
    if answer.status == 404 && is_nothing(&answer.body) {
        return Ok(nothing(&answer.body, is_review));
    }
    let claimed = read::<ClaimedTask>(&answer).map_err(|failure| caller.explained(failure))?;
    Ok(granted(&claimed, is_review))
}

/// Whether a 404 says that there is nothing to claim. A 404 of a proxy, or of another server, has
/// another body.
fn is_nothing(body: &Value) -> bool {
    body["message"].is_string() && body.get("error").is_none()
}

/// There is nothing to claim.
fn nothing(body: &Value, is_review: bool) -> String {
    let what = if is_review { "work to review" } else { "task to claim" };
    let mut text = format!("There is no {what} now.");
    if let Some(seconds) = body["retry_after_seconds"].as_i64() {
        let _ = write!(text, " It is paused for {seconds} more seconds.");
    }
    text.push_str(
        " Call task_next with wait_seconds=50 to wait, or board to see what waits and why.",
    );
    text
}

fn granted(claimed: &ClaimedTask, is_review: bool) -> String {
    let mut text = String::new();
    text::head(&mut text, claimed);
    if let Some(attempt) = claimed.attempt.filter(|attempt| *attempt > 1) {
        let _ = writeln!(text, "attempt: {attempt}");
    }
    if let Some(previous) = &claimed.previous {
        before(&mut text, previous);
    }
    text::feedback(&mut text, &claimed.feedback);
    if !claimed.checkpoint.is_null() {
        let _ = writeln!(text, "\n## Checkpoint of the last run\n{}", claimed.checkpoint);
    }
    let id = &claimed.id;
    let until = claimed.lease_expires_at.map(octopoid_domain::Millis::to_iso).unwrap_or_default();
    let (work, end) = if is_review {
        (
            "judge it; task_get shows the result",
            "task_finish with outcome accept, or reject with a message that says what to change",
        )
    } else {
        (
            "do it",
            "task_finish with outcome submit and a summary; fail with a message if you cannot do it",
        )
    };
    let _ = write!(
        text,
        "\nlease_token: {}\n\nNext: {work}. Call task_update (task_id {id}, lease_token) before {until} to keep it. At \
         the end: {end}.",
        claimed.lease_token
    );
    // The token and the next step are at the end, so a long text is cut in its middle.
    fitted(text)
}

fn before(text: &mut String, previous: &PreviousRun) {
    let _ = write!(text, "\n## The run before: {}", previous.outcome.as_str());
    for part in [&previous.reason, &previous.message, &previous.summary].into_iter().flatten() {
        let _ = write!(text, "\n{}", part.trim_end());
    }
    if !previous.failed_checks.is_empty() {
        let _ = write!(text, "\nFailed checks: {}", previous.failed_checks.join(", "));
    }
    text.push('\n');
}

/// A text that fits into an answer: of a longer one, the beginning and the end.
fn fitted(text: String) -> String {
    const TAIL: usize = 3_000;
    if text.len() <= text::PAGE_BYTES_MAX {
        return text;
    }
    let head = octopoid_domain::text::cut(&text, text::PAGE_BYTES_MAX - TAIL - 100);
    let tail = &text[text.ceil_char_boundary(text.len() - TAIL)..];
    let left_out = text.len() - head.len() - tail.len();
    format!("{head}\n… {left_out} bytes left out: task_get shows all …\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::fitted;
    use crate::text::PAGE_BYTES_MAX;

    #[test]
    fn a_long_task_keeps_its_end() {
        let long = format!("{}the end", "ü".repeat(9_000));
        let text = fitted(long);
        assert!(text.len() <= PAGE_BYTES_MAX && text.ends_with("the end"), "{}", text.len());
        assert_eq!(fitted("short".to_owned()), "short");
    }
}
