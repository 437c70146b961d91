//! What a run for work reports.

use octopoid_domain::usage::Usage;
use serde_json::{Map, Value, json};

use crate::{
    adapter::Tool,
    facts::Facts,
    judge::Check,
    mailbox::Said,
    workspace::{Evidence, Tree},
};

pub(super) fn result(
    tree: &Tree,
    found: &Evidence,
    facts: &Facts,
    said: Option<&Said>,
    checks: &[Check],
    tool: Tool,
) -> Map<String, Value> {
    let summary = said.map(|said| &said.message).filter(|message| !message.is_empty());
    let checks: Vec<_> = checks.iter().map(check_json).collect();
    let value = json!({
        "summary": summary.unwrap_or(&facts.summary),
        "branch": tree.branch,
        "base": tree.base,
        "base_sha": found.base_sha,
        "head_sha": found.head_sha,
        "files_changed": found.files_changed,
        "insertions": found.insertions,
        "deletions": found.deletions,
        "checks": checks,
        "session_ref": facts.session,
        "adapter": tool.name(),
        "patch": found.patch,
    });
    let Value::Object(mut members) = value else { return Map::new() };
    if found.is_patch_truncated {
        members.insert("patch_truncated".to_owned(), true.into());
    }
    members
}

fn check_json(check: &Check) -> Value {
    json!({
        "name": check.command,
        "command": check.command,
        "exit_code": check.exit_code,
        "seconds": check.seconds,
        "tail": check.tail,
    })
}

/// The result in a line: `+48 −12 in 3 files · 2 checks ok · 31.2k tokens · $0.41`.
pub(super) fn summary(result: &Map<String, Value>, checks: usize, usage: &Usage) -> String {
    let count = |name: &str| result[name].as_u64().unwrap_or_default();
    let files = count("files_changed");
    let plural = if files == 1 { "" } else { "s" };
    let mut parts =
        vec![format!("+{} −{} in {files} file{plural}", count("insertions"), count("deletions"))];
    if checks > 0 {
        parts.push(format!("{checks} check{} ok", if checks == 1 { "" } else { "s" }));
    }
    let tokens = [usage.input_tokens, usage.cached_tokens, usage.output_tokens];
    let tokens: i64 = tokens.into_iter().flatten().sum();
    if tokens >= 1_000 {
        parts.push(format!("{}.{}k tokens", tokens / 1_000, tokens % 1_000 / 100));
    } else if tokens > 0 {
        parts.push(format!("{tokens} tokens"));
    }
    if let Some(cost) = usage.cost_usd.as_deref().and_then(|cost| cost.parse::<f64>().ok()) {
        parts.push(format!("${cost:.2}"));
    }
    parts.join(" · ")
}
