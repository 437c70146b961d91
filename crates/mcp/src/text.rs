//! Tasks and what belongs to them as short texts for models.

use std::{borrow::Cow, fmt::Write as _};

use octopoid_domain::{
    Feedback, TaskView,
    message::Message,
    run::{Progress, RunView},
    text::cut,
    why::Reason,
};

/// The longest text of an answer, in bytes. Clients put longer ones into files, or cut them.
pub(crate) const PAGE_BYTES_MAX: usize = 8_000;

/// The longest title in a list.
const TITLE_BYTES_MAX: usize = 120;

/// A task in one line: `a1b2  P1  incoming  Title  (role: fix, by: ada)`.
pub(crate) fn line(task: &TaskView) -> String {
    let priority = task.priority.as_deref().unwrap_or("-");
    let title = short(task.title.as_deref().unwrap_or_default());
    let mut notes = Vec::new();
    let mut note = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            notes.push(format!("{name}: {}", short(value)));
        }
    };
    note("role", task.role.as_deref());
    note("by", task.claimed_by.as_deref());
    note("project", task.project_id.as_deref());
    note("pull request", task.pr_url.as_deref());
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
    format!("{}  {priority}  {}  {title}{notes}", task.id, task.queue)
}

/// What a task is about: a line, what it waits for, and its whole content.
pub(crate) fn head(text: &mut String, task: &TaskView) {
    let _ = writeln!(text, "{}", line(task));
    let _ = writeln!(text, "scope: {}, branch: {}", task.scope, task.branch);
    if let Some(blockers) = &task.blocked_by {
        let _ = writeln!(text, "after: {blockers}");
    }
    if let Some(until) = task.lease_expires_at {
        let _ = writeln!(text, "lease until: {}", until.to_iso());
    }
    if task.cancel_requested_at.is_some() {
        let _ = writeln!(text, "a person has asked to cancel it");
    }
    if let Some(content) = task.content.as_deref().filter(|content| !content.is_empty()) {
        let _ = writeln!(text, "\n{}", content.trim_end());
    }
}

/// What came back to those who work on a task, under a heading.
pub(crate) fn feedback(text: &mut String, feedback: &[Feedback]) {
    if feedback.is_empty() {
        return;
    }
    text.push_str("\n## Feedback, the newest first\n");
    for Feedback { kind, by, text: said, at } in feedback {
        let _ = writeln!(text, "* {kind} by {by} at {}: {said}", at.to_iso());
    }
}

/// Messages about a task, under a heading.
pub(crate) fn messages(text: &mut String, heading: &str, messages: &[Message], bytes_max: usize) {
    if messages.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## {heading}");
    for message in messages {
        let Message { id, from_actor, to_actor, kind, content, created_at, .. } = message;
        let content = bounded(content, bytes_max);
        let to = to_actor.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "* {} {kind} from {from_actor}{to} ({id}): {content}",
            created_at.to_iso()
        );
    }
}

/// Why a task waits, under a heading.
pub(crate) fn reasons(text: &mut String, claimable: bool, reasons: &[Reason]) {
    text.push_str(if claimable { "\n## It can be claimed now\n" } else { "\n## Why it waits\n" });
    for reason in reasons {
        let _ = writeln!(text, "* {}: {}", reason.code.as_str(), reason.text);
    }
}

/// A run in one line.
pub(crate) fn run(run: &RunView) -> String {
    let mut text = format!("run {} ({}, {})", run.run, run.kind.as_str(), run.outcome.as_str());
    let agent = or_unknown(run.agent.as_deref());
    let _ = write!(text, " by {agent} since {}", run.started_at.to_iso());
    if let Some(reason) = &run.reason {
        let _ = write!(text, ", {reason}");
    }
    if let Some(message) = run.message.as_deref().or(run.summary.as_deref()) {
        let _ = write!(text, ": {}", message.trim_end());
    }
    if let Some(verdict) = &run.verdict {
        let _ = write!(text, " [{verdict}]");
    }
    text
}

/// How far a run is.
pub(crate) fn progress(progress: &Progress) -> String {
    let percent = progress.percent.map(|percent| format!("{percent} % ")).unwrap_or_default();
    let message = progress.message.as_deref().map(short).unwrap_or_default();
    format!("{percent}{message}")
}

/// A text that fits into a line of a list.
pub(crate) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    bounded(&line, TITLE_BYTES_MAX).into_owned()
}

fn or_unknown(text: Option<&str>) -> &str {
    text.unwrap_or("unknown")
}

/// A text, or its beginning and a sign that there is more.
pub(crate) fn bounded(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    format!("{}…", cut(text, bytes_max.saturating_sub(3))).into()
}

/// The part of a text from `offset` that fits into an answer, and how to read on.
pub(crate) fn page(text: &str, offset: i64, call: &str) -> String {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = &text[text.floor_char_boundary(offset)..];
    if rest.is_empty() && offset > 0 {
        return format!("There is no more: the text has {} bytes.", text.len());
    }
    if rest.len() <= PAGE_BYTES_MAX {
        return rest.to_owned();
    }
    let part = cut(rest, PAGE_BYTES_MAX - 100);
    let next = text.len() - rest.len() + part.len();
    format!("{part}\n… {} more bytes: {call} with offset={next}.", rest.len() - part.len())
}

#[cfg(test)]
mod tests {
    use super::{PAGE_BYTES_MAX, page, short};

    #[test]
    fn pages_put_together_are_the_text() {
        let text = "grün ".repeat(5_000);
        let (mut read, mut offset) = (String::new(), 0);
        loop {
            let part = page(&text, offset, "task_get");
            assert!(part.len() <= PAGE_BYTES_MAX);
            let Some((part, next)) = part.split_once("\n… ") else {
                read.push_str(&part);
                break;
            };
            read.push_str(part);
            offset = next.split_once("offset=").unwrap().1.trim_end_matches('.').parse().unwrap();
        }
        assert_eq!(read, text);
        assert!(page(&text, i64::MAX, "task_get").contains("no more"));
        assert_eq!(page("", 0, "task_get"), "");
    }

    #[test]
    fn a_line_of_a_list_is_one_line() {
        assert_eq!(short(" a\n  b\tc "), "a b c");
        assert!(short(&"ü".repeat(500)).len() < 130);
    }
}
