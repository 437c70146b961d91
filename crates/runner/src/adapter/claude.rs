//! Claude Code: `claude -p --output-format stream-json --verbose`.
//!
//! The last event `result` counts. Errors of the provider have the subtype `success` there, so that
//! only `is_error` tells. More events may follow it while a command runs in the background.

use std::ffi::OsString;

use octopoid_domain::time::Millis;
use serde_json::Value;

use super::{Facts, Kind, Progress, User, arguments as options};
use crate::{
    facts::End,
    json::{cost, count, list, sum, text},
    reasons,
};

/// Adds the output format to `claude -p`, and `--verbose`, which that format needs.
pub(super) fn arguments(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if !options::has(&arguments, &["-p", "--print"]) {
        return arguments;
    }
    if !options::has(&arguments, &["--output-format"]) {
        options::add(&mut arguments, &["--output-format", "stream-json"]);
    }
    let is_stream = options::value(&arguments, "--output-format") == Some("stream-json");
    if is_stream && !options::has(&arguments, &["--verbose"]) {
        options::add(&mut arguments, &["--verbose"]);
    }
    arguments
}

/// Without a permission, files are not written and commands are not run, and the exit code is 0.
pub(super) fn warnings(arguments: &[OsString], user: User) -> Vec<String> {
    if !options::has(arguments, &["-p", "--print"]) {
        return vec!["claude without -p waits for a person: add -p".to_owned()];
    }
    let skips = options::has(arguments, &["--dangerously-skip-permissions"])
        || options::value(arguments, "--permission-mode") == Some("bypassPermissions");
    if skips && user == User::Root {
        let text = "claude refuses to skip permissions as root: run it as another user, or set \
                    IS_SANDBOX=1 in a container";
        return vec![text.to_owned()];
    }
    let permits = skips
        || options::value(arguments, "--permission-mode") == Some("acceptEdits")
        || options::has(arguments, &["--allowedTools", "--allowed-tools", "--settings"]);
    if permits {
        return Vec::new();
    }
    let text = "claude -p may not be permitted to write files or to run commands, unless its \
                settings say so: add --permission-mode acceptEdits, and what it may run, such as \
                --allowedTools \"Bash(git *)\"";
    vec![text.to_owned()]
}

/// Takes one event. The order of the keys is not fixed.
pub(super) fn read(facts: &mut Facts, event: &Value) -> Option<Progress> {
    facts.set_session(text(event, &["session_id"]));
    match text(event, &["type"]) {
        "system" => system(facts, event),
        "assistant" => assistant(facts, event),
        "rate_limit_event" => {
            let info = event.get("rate_limit_info")?;
            if text(info, &["status"]) != "rejected" {
                return None;
            }
            let seconds = count(info, &["resetsAt"]);
            let ms = seconds.and_then(|seconds| seconds.checked_mul(1_000));
            facts.not_before = ms.and_then(Millis::in_range);
            Progress::new(Kind::Notice, "The provider's limit is reached")
        }
        "result" => {
            result(facts, event);
            None
        }
        _ => None,
    }
}

fn system(facts: &mut Facts, event: &Value) -> Option<Progress> {
    match text(event, &["subtype"]) {
        "init" => {
            facts.set_model(text(event, &["model"]));
            None
        }
        "api_retry" => {
            let of = |key: &str| count(event, &[key]).unwrap_or_default();
            let (attempt, max, status) = (of("attempt"), of("max_retries"), of("error_status"));
            let error = text(event, &["error"]);
            let what = format!("Request failed ({status} {error}), retry {attempt} of {max}");
            Progress::new(Kind::Notice, &what)
        }
        "permission_denied" => {
            let (tool, message) = (text(event, &["tool_name"]), text(event, &["message"]));
            facts.deny(tool, message);
            Progress::new(Kind::Notice, &format!("{tool}: {message}"))
        }
        _ => None,
    }
}

/// One block of an answer. Its usage is not that of the whole answer.
fn assistant(facts: &mut Facts, event: &Value) -> Option<Progress> {
    let error = text(event, &["error"]);
    error.chars().take(64).collect::<String>().clone_into(&mut facts.error_kind);
    let block = list(event.get("message")?, "content").last()?;
    match text(block, &["type"]) {
        "text" if error.is_empty() => {
            let answer = text(block, &["text"]);
            facts.summarize(answer);
            Progress::new(Kind::Text, answer)
        }
        "text" => Progress::new(Kind::Notice, text(block, &["text"])),
        "tool_use" => {
            let keys = ["command", "file_path", "path", "pattern", "url", "description"];
            let said = keys.map(|key| text(block, &["input", key]));
            let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or_default();
            Progress::new(Kind::Tool, &format!("{} {said}", text(block, &["name"])))
        }
        _ => None,
    }
}

fn result(facts: &mut Facts, event: &Value) {
    read_usage(facts, event);
    let denials = list(event, "permission_denials");
    if !denials.is_empty() {
        facts.denials.clear();
    }
    for denial in denials {
        let input = denial.get("tool_input").map(Value::to_string).unwrap_or_default();
        let command = text(denial, &["tool_input", "command"]);
        facts.deny(text(denial, &["tool_name"]), if command.is_empty() { &input } else { command });
    }
    let is_error = event.get("is_error").and_then(Value::as_bool).unwrap_or_default();
    let ending = text(event, &["terminal_reason"]);
    let is_too_long = ending == "prompt_too_long";
    if ending.starts_with("aborted") {
        facts.end = Some(End::Interrupted);
    } else if is_error || is_too_long || text(event, &["subtype"]).starts_with("error_") {
        let errors: Vec<_> =
            list(event, "errors").iter().filter_map(Value::as_str).take(5).collect();
        let said = text(event, &["result"]);
        let message = if said.is_empty() { errors.join("\n") } else { said.to_owned() };
        facts.fail(reason(facts, event, &message), &message);
    } else {
        facts.summarize(text(event, &["result"]));
        facts.end = Some(End::Success);
    }
}

/// Why it failed, from the most to the least exact of the signs. Older versions have fewer of them.
fn reason(facts: &Facts, event: &Value, message: &str) -> Option<&'static str> {
    match (text(event, &["terminal_reason"]), text(event, &["subtype"])) {
        ("prompt_too_long", _) => return Some(reasons::CONTEXT_OVERFLOW),
        ("max_turns", _) | (_, "error_max_turns") => return Some(reasons::TURN_LIMIT),
        ("budget_exhausted", _) | (_, "error_max_budget_usd") => return Some(reasons::BUDGET),
        // It has not begun: the session to resume is unknown.
        (_, "error_during_execution") if count(event, &["num_turns"]) == Some(0) => {
            return Some(reasons::BAD_CONFIG);
        }
        _ => {}
    }
    if text(event, &["stop_reason"]) == "refusal" {
        return Some(reasons::OTHER);
    }
    let of_kind = match text(event, &["api_error"]) {
        "usage_limit_reached" => Some(reasons::PROVIDER_LIMIT),
        "connection_failed" => Some(reasons::NETWORK),
        "max_output_tokens" => Some(reasons::OTHER),
        _ => match facts.error_kind.as_str() {
            "billing_error" => Some(reasons::PROVIDER_QUOTA),
            "authentication_failed" => Some(reasons::PROVIDER_AUTH),
            "rate_limit" => Some(reasons::PROVIDER_LIMIT),
            "model_not_found" => Some(reasons::BAD_CONFIG),
            "max_output_tokens" => Some(reasons::OTHER),
            _ => None,
        },
    };
    let status = count(event, &["api_error_status"]);
    of_kind
        .or_else(|| reasons::of_status(status?))
        .or_else(|| reasons::of_text(message))
        .or_else(|| (facts.error_kind == "server_error").then_some(reasons::PROVIDER_ERROR))
}

/// The counts are those of the whole run. Of several models, the one that has written most is named.
fn read_usage(facts: &mut Facts, event: &Value) {
    let of = |key: &str| count(event, &["usage", key]);
    facts.usage.input_tokens = sum(of("input_tokens"), of("cache_creation_input_tokens"));
    facts.usage.cached_tokens = of("cache_read_input_tokens");
    facts.usage.output_tokens = of("output_tokens");
    facts.usage.cost_usd = cost(event, &["total_cost_usd"]);
    facts.usage.turns = count(event, &["num_turns"]);
    let models = event.get("modelUsage").and_then(Value::as_object);
    let written =
        |(name, usage): (&String, &Value)| Some((count(usage, &["outputTokens"])?, name.clone()));
    if let Some((_, name)) = models.into_iter().flatten().filter_map(written).max() {
        facts.set_model(&name);
    }
}
