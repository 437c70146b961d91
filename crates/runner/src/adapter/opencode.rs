//! opencode: `opencode run --format json`.
//!
//! There is no event for the end of a run. It ended well if the last event is a step that finished
//! with the reason `stop`, there was text, and the exit code is 0. Without `--auto`, a call that
//! needs a permission is refused, and the run ends there.

use std::ffi::OsString;

use octopoid_domain::{time::Millis, usage::Usage};
use serde_json::Value;

use super::{Facts, Kind, Progress, arguments as options};
use crate::{
    facts::End,
    json::{cost, count, sum, text},
    reasons,
};

/// Adds `--format json` to `opencode run`.
pub(super) fn arguments(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if let Some(at) = options::place(&arguments, "run")
        && !options::has(&arguments, &["--format"])
    {
        options::insert(&mut arguments, at + 1, &["--format", "json"]);
    }
    arguments
}

/// Takes one event.
pub(super) fn read(facts: &mut Facts, event: &Value) -> Option<Progress> {
    facts.set_session(text(event, &["sessionID"]));
    match text(event, &["type"]) {
        "step_start" => {
            facts.end = None;
            None
        }
        "text" => {
            facts.end = None;
            let answer = text(event, &["part", "text"]);
            if !answer.trim().is_empty() {
                facts.summarize(answer);
            }
            Progress::new(Kind::Text, answer)
        }
        "tool_use" => {
            facts.end = None;
            tool_use(facts, event)
        }
        "step_finish" => {
            read_usage(facts, event);
            finish(facts, text(event, &["part", "reason"]));
            None
        }
        "error" => fail(facts, event),
        _ => None,
    }
}

fn tool_use(facts: &mut Facts, event: &Value) -> Option<Progress> {
    let part = event.get("part")?;
    let (tool, refusal) = (text(part, &["tool"]), text(part, &["state", "error"]));
    let is_rejected = refusal.contains("rejected permission") || refusal.contains("prevents you");
    // A tool that is denied by the configuration is not offered to the model, which calls it anyway.
    let unavailable = text(part, &["state", "input", "error"]);
    let is_unavailable = tool == "invalid" && unavailable.contains("unavailable tool");
    facts.is_last_call_denied = is_rejected;
    if is_rejected {
        facts.deny(tool, refusal);
    } else if is_unavailable {
        facts.deny(text(part, &["state", "input", "tool"]), unavailable);
    }
    if is_rejected || is_unavailable {
        return Progress::new(Kind::Notice, if is_rejected { refusal } else { unavailable });
    }
    let title = text(part, &["state", "title"]);
    Progress::new(Kind::Tool, &format!("{tool}: {title}"))
}

fn finish(facts: &mut Facts, reason: &str) {
    match reason {
        "stop" => facts.end = Some(End::Success),
        "length" => facts.fail(Some(reasons::OTHER), "The answer was cut off at its limit"),
        "content-filter" => facts.fail(Some(reasons::OTHER), "The provider blocked the answer"),
        // The model is not asked again after a refusal. Otherwise the next step follows.
        "tool-calls" if facts.is_last_call_denied => {
            let denial = facts.denials.last();
            let message = denial.map(|denial| format!("{}: {}", denial.tool, denial.detail));
            facts.fail(Some(reasons::NEEDS_INPUT), &message.unwrap_or_default());
        }
        _ => facts.end = None,
    }
}

fn fail(facts: &mut Facts, event: &Value) -> Option<Progress> {
    let message = text(event, &["error", "data", "message"]);
    let name = text(event, &["error", "name"]);
    let body = text(event, &["error", "data", "responseBody"]);
    let status = count(event, &["error", "data", "statusCode"]);
    let of_words = reasons::of_text(message).or_else(|| reasons::of_text(body));
    let reason = match name {
        "MessageAbortedError" => {
            facts.end = Some(End::Interrupted);
            return Progress::new(Kind::Notice, message);
        }
        "ContextOverflowError" => Some(reasons::CONTEXT_OVERFLOW),
        "ProviderAuthError" => Some(reasons::PROVIDER_AUTH),
        "ContentFilterError" | "MessageOutputLengthError" => Some(reasons::OTHER),
        _ if of_words == Some(reasons::PROVIDER_QUOTA) => of_words,
        _ => status.and_then(reasons::of_status).or(of_words),
    };
    if reason == Some(reasons::PROVIDER_LIMIT) {
        facts.not_before = not_before(event);
    }
    let message = if message.is_empty() { name } else { message };
    facts.fail(reason, message);
    Progress::new(Kind::Notice, message)
}

/// The event's time, and the seconds of the provider's `retry-after` header.
fn not_before(event: &Value) -> Option<Millis> {
    let headers = ["error", "data", "responseHeaders", "retry-after"];
    let seconds: i64 = text(event, &headers).parse().ok().filter(|seconds| *seconds > 0)?;
    let at = count(event, &["timestamp"])?;
    Millis::in_range(at.checked_add(seconds.checked_mul(1_000)?)?)
}

/// Each step has its own counts. A cost of 0 is that of a model without a known price.
fn read_usage(facts: &mut Facts, event: &Value) {
    let of = |path: &[&str]| count(event, &[&["part", "tokens"], path].concat());
    let step = Usage {
        input_tokens: sum(of(&["input"]), of(&["cache", "write"])),
        cached_tokens: of(&["cache", "read"]),
        output_tokens: sum(of(&["output"]), of(&["reasoning"])),
        cost_usd: cost(event, &["part", "cost"]).filter(|cost| cost != "0"),
        turns: Some(1),
        ..Usage::default()
    };
    facts.usage = facts.usage.plus(&step);
}
