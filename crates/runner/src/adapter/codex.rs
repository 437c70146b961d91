//! Codex: `codex exec --json`.
//!
//! A run ends with `turn.completed` or `turn.failed`. Events of type `error`, and items of that
//! type, are not final: they tell of retries and warnings. Commands that the sandbox refuses leave
//! no event at all. A limit is reset at a time without a date and a zone, which stays in the message.

use std::ffi::OsString;

use serde_json::Value;

use super::{Facts, Kind, Progress, arguments as options};
use crate::{
    classify::Status,
    facts::End,
    json::{count, list, text},
    reasons,
};

/// Adds `--json` to `codex exec`.
pub(super) fn arguments(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let command = options::place(&arguments, "exec").or_else(|| options::place(&arguments, "e"));
    if let Some(at) = command
        && !options::has(&arguments, &["--json", "--experimental-json"])
    {
        let is_command = arguments.get(at + 1).is_some_and(|next| next == "resume");
        options::insert(&mut arguments, at + 1 + usize::from(is_command), &["--json"]);
    }
    arguments
}

/// By default the sandbox is read-only. One that can write cannot commit in a linked work tree, because
/// the repository is outside of it.
pub(super) fn warnings(arguments: &[OsString]) -> Vec<String> {
    let sandbox =
        options::value(arguments, "--sandbox").or_else(|| options::value(arguments, "-s"));
    let is_open = options::has(
        arguments,
        &[
            "--dangerously-bypass-approvals-and-sandbox",
            "--yolo",
            "--profile",
            "-p",
            "-c",
            "--config",
        ],
    );
    let text = match sandbox {
        _ if is_open => return Vec::new(),
        Some("workspace-write") => {
            "codex in the sandbox workspace-write cannot commit in a linked work tree: what it leaves \
             is committed by this program, or use --isolation clone"
        }
        Some("danger-full-access") => return Vec::new(),
        _ => {
            "codex exec may only read, unless its configuration says otherwise: add -s workspace-write"
        }
    };
    vec![text.to_owned()]
}

/// Takes one event.
pub(super) fn read(facts: &mut Facts, event: &Value) -> Option<Progress> {
    match text(event, &["type"]) {
        "thread.started" => {
            facts.set_session(text(event, &["thread_id"]));
            None
        }
        "item.started" | "item.updated" | "item.completed" => item(facts, event),
        "turn.completed" => {
            read_usage(facts, event);
            facts.end = Some(End::Success);
            None
        }
        "turn.failed" => {
            let message = text(event, &["error", "message"]);
            facts.fail(reasons::of_text(message), message);
            Progress::new(Kind::Notice, message)
        }
        "error" => {
            let message = text(event, &["message"]);
            facts.note_error(message);
            Progress::new(Kind::Notice, message)
        }
        _ => None,
    }
}

fn item(facts: &mut Facts, event: &Value) -> Option<Progress> {
    let item = event.get("item")?;
    let is_completed = text(event, &["type"]) == "item.completed";
    match (text(item, &["type"]), is_completed) {
        ("agent_message", true) => {
            let message = text(item, &["text"]);
            facts.summarize(message);
            Progress::new(Kind::Text, message)
        }
        ("error", true) => Progress::new(Kind::Notice, text(item, &["message"])),
        ("command_execution", false) => Progress::new(Kind::Tool, text(item, &["command"])),
        ("file_change", false) => {
            let paths = list(item, "changes").iter().map(|change| text(change, &["path"]));
            let paths: Vec<_> = paths.take(5).collect();
            Progress::new(Kind::Tool, &format!("Edit {}", paths.join(", ")))
        }
        ("web_search", false) => {
            Progress::new(Kind::Tool, &format!("Search {}", text(item, &["query"])))
        }
        ("mcp_tool_call", is_completed) => {
            let tool = format!("{}.{}", text(item, &["server"]), text(item, &["tool"]));
            let message = text(item, &["error", "message"]);
            if !is_completed {
                return Progress::new(Kind::Tool, &tool);
            }
            // The message is the only sign of a refusal.
            if message.contains("approval") {
                facts.deny(&tool, message);
            }
            Progress::new(Kind::Notice, message)
        }
        _ => None,
    }
}

/// The counts are those of the whole session, and include cached tokens. There is neither a cost nor
/// a model.
fn read_usage(facts: &mut Facts, event: &Value) {
    let of = |key: &str| count(event, &["usage", key]);
    let cached = of("cached_input_tokens");
    let total = of("input_tokens");
    facts.usage.input_tokens = total.map(|total| (total - cached.unwrap_or_default()).max(0));
    facts.usage.cached_tokens = cached;
    facts.usage.output_tokens = of("output_tokens");
}

/// 2: the arguments are refused. 101: the program panicked, as it does when nobody reads its output.
pub(super) fn end_of_code(code: i32) -> Option<Status> {
    match code {
        2 => Some(Status::Failed(reasons::BAD_CONFIG)),
        101 => Some(Status::Failed(reasons::CRASH)),
        _ => None,
    }
}
