//! Gemini CLI: `gemini -o stream-json`.
//!
//! The status of the event `result` counts, not the exit code: an empty or blocked answer ends with
//! exit code 0. When output is a pipe, its end may be lost, and the `result` with it. If a request
//! fails, the exit code is the HTTP status modulo 256.

use std::ffi::OsString;

use serde_json::Value;

use super::{Facts, Kind, Progress, arguments as options};
use crate::{
    classify::Status,
    facts::End,
    json::{count, text},
    reasons,
};

/// Sub-commands that run no agent.
const OTHER_COMMANDS: [&str; 4] = ["mcp", "extensions", "skills", "hooks"];

/// Adds `-o stream-json`.
pub(super) fn arguments(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_other = arguments.first().is_some_and(|first| OTHER_COMMANDS.iter().any(|c| first == c));
    if !is_other && !options::has(&arguments, &["-o", "--output-format"]) {
        options::add(&mut arguments, &["-o", "stream-json"]);
    }
    arguments
}

/// Without an approval mode, tools that write are taken away, and the exit code is 0.
pub(super) fn warnings(arguments: &[OsString]) -> Vec<String> {
    if options::has(arguments, &["--yolo", "-y", "--approval-mode", "--allowed-tools"]) {
        return Vec::new();
    }
    let text = "gemini may not be permitted to write files or to run commands: add --approval-mode \
                auto_edit, or --yolo";
    vec![text.to_owned()]
}

/// Takes one event.
pub(super) fn read(facts: &mut Facts, event: &Value) -> Option<Progress> {
    match text(event, &["type"]) {
        "init" => {
            facts.set_session(text(event, &["session_id"]));
            let model = text(event, &["model"]);
            facts.set_model(if model == "auto" { "" } else { model });
            None
        }
        "message" if text(event, &["role"]) == "assistant" => {
            let piece = text(event, &["content"]);
            facts.add_to_summary(piece);
            Progress::new(Kind::Text, piece)
        }
        "tool_use" => {
            facts.is_summary_done = true;
            let command = text(event, &["parameters", "command"]);
            let tool = text(event, &["tool_name"]);
            Progress::new(Kind::Tool, &format!("{tool} {command}"))
        }
        "tool_result" => {
            let message = text(event, &["error", "message"]);
            // A tool that is not permitted is not offered to the model, which calls it anyway.
            if text(event, &["error", "type"]) == "tool_not_registered" {
                facts.deny(message.split('"').nth(1).unwrap_or_default(), message);
            }
            Progress::new(Kind::Notice, message)
        }
        "error" => {
            let message = text(event, &["message"]);
            facts.note_error(message);
            Progress::new(Kind::Notice, message)
        }
        "result" => result(facts, event),
        _ => None,
    }
}

fn result(facts: &mut Facts, event: &Value) -> Option<Progress> {
    read_usage(facts, event);
    if text(event, &["status"]) == "success" {
        facts.end = Some(End::Success);
        return None;
    }
    let reported = text(event, &["error", "message"]);
    let message = if reported.is_empty() { facts.last_error.clone() } else { reported.to_owned() };
    let reason = match text(event, &["error", "type"]) {
        "FatalTurnLimitedError" => Some(reasons::TURN_LIMIT),
        "FatalAuthenticationError" => Some(reasons::PROVIDER_AUTH),
        "FatalInputError"
        | "FatalConfigError"
        | "FatalSandboxError"
        | "FatalUntrustedWorkspaceError" => Some(reasons::BAD_CONFIG),
        "FatalCancellationError" => {
            facts.end = Some(End::Interrupted);
            return Progress::new(Kind::Notice, &message);
        }
        // The provider words its rate limits as a quota of a billing plan.
        _ => reasons::of_text(&message).map(|reason| match reason {
            reasons::PROVIDER_QUOTA => reasons::PROVIDER_LIMIT,
            reason => reason,
        }),
    };
    facts.fail(reason, &message);
    Progress::new(Kind::Notice, &message)
}

/// The counts are those of the whole run. There is no cost. Of several models, the one that has
/// written most is named: a small one chooses among them.
fn read_usage(facts: &mut Facts, event: &Value) {
    let of = |key: &str| count(event, &["stats", key]);
    facts.usage.input_tokens = of("input").or_else(|| of("input_tokens"));
    facts.usage.cached_tokens = of("cached");
    facts.usage.output_tokens = of("output_tokens");
    let models =
        event.get("stats").and_then(|stats| stats.get("models")).and_then(Value::as_object);
    let written = |(name, stats): (&String, &Value)| {
        let count = count(stats, &["output_tokens"]).filter(|count| *count > 0)?;
        Some((count, name.clone()))
    };
    if let Some((_, name)) = models.into_iter().flatten().filter_map(written).max() {
        facts.set_model(&name);
    }
}

/// The exit codes, which are the program's own, or HTTP statuses modulo 256.
pub(super) fn end_of_code(code: i32) -> Option<Status> {
    let reason = match code {
        41 => reasons::PROVIDER_AUTH,
        42 | 44 | 52 | 55 => reasons::BAD_CONFIG,
        53 => reasons::TURN_LIMIT,
        54 => reasons::OTHER,
        145..=148 | 173 | 244..=248 => reasons::of_status(i64::from(code) + 256)?,
        _ => return None,
    };
    Some(Status::Failed(reason))
}
