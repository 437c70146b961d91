//! `task_update`: keeps a lease, reports, and hears what the agent is told.

use std::fmt::Write as _;

use futures_util::FutureExt as _;
use octopoid_domain::lease::{Directive, Renewal};
use serde_json::{Map, Value, json};

use super::{Caller, LEASE, Outcome, Tool, lease_seconds};
use crate::{
    arguments::Arguments,
    backend::Call,
    parameter::{Kind, optional, required},
    text,
};

/// How much of each message is shown: twenty fit into an answer.
const MESSAGE_BYTES_MAX: usize = 280;

pub(super) const TOOL: Tool = Tool {
    name: "task_update",
    title: "Report progress",
    description: "Keep a claimed task, report progress, save a checkpoint for the next agent, and read \
                  messages to you.",
    is_read: false,
    is_idempotent: true,
    parameters: &[
        required("task_id", Kind::Text, ""),
        required("lease_token", Kind::Text, ""),
        optional("message", Kind::Text, "What you do, up to 500 characters"),
        optional("percent", Kind::Integer(0, 100), ""),
        optional("checkpoint", Kind::Text, "What to know to go on, up to 64 KiB"),
        optional("messages_after", Kind::Text, "Id of the last message read"),
        LEASE,
    ],
    run: |caller, arguments| run(caller, arguments).boxed(),
};

async fn run(caller: Caller<'_>, arguments: Arguments) -> Outcome {
    let id = arguments.required("task_id");
    let mut body = json!({
        "lease_token": arguments.required("lease_token"),
        "lease_duration_seconds": lease_seconds(&arguments),
        "messages_after": arguments.text("messages_after"),
    });
    let (message, percent) = (arguments.text("message"), arguments.integer("percent"));
    if message.is_some() || percent.is_some() {
        let mut progress = Map::new();
        progress.extend(message.map(|message| ("message".to_owned(), json!(message))));
        progress.extend(percent.map(|percent| ("percent".to_owned(), json!(percent))));
        body["progress"] = Value::Object(progress);
    }
    if let Some(checkpoint) = arguments.text("checkpoint") {
        // A checkpoint is any JSON, and plain text is a text.
        body["checkpoint"] = serde_json::from_str(checkpoint).unwrap_or_else(|_| json!(checkpoint));
    }
    let renewal: Renewal = caller.ask(Call::post(&["tasks", id, "renew"], body)).await?;
    let mut text = format!("The task is yours until {}.", renewal.lease_expires_at.to_iso());
    let reason = renewal.reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    match renewal.directive {
        Directive::Continue => {}
        Directive::Stop => {
            let _ = write!(
                text,
                " Stop: it is to be cancelled{reason}. Call task_finish with outcome release."
            );
        }
        Directive::WrapUp => {
            let _ = write!(text, " Finish what you have and hand it in{reason}.");
        }
    }
    text.push('\n');
    text::messages(&mut text, "Messages to you", &renewal.messages, MESSAGE_BYTES_MAX);
    if let Some(last) = renewal.messages.last() {
        let _ = write!(
            text,
            "\nHeed them; task_get shows them whole. Next time, give messages_after={}.",
            last.id
        );
    }
    Ok(text.trim_end().to_owned())
}
