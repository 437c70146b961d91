//! What a tool could not do, in words that a model can act on.

use serde::Deserialize;

use crate::backend::Answer;

/// Why a call came to nothing, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) text: String,
    /// Whether the call named no scope where one is needed.
    pub(crate) lacks_scope: bool,
}

/// What an error of the API has in its body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
    code: String,
    message: Option<String>,
    details: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), lacks_scope: false }
    }

    /// Reads the answer of the API that says no.
    pub(crate) fn refused(answer: &Answer) -> Self {
        let problem: Problem = Deserialize::deserialize(&answer.body).unwrap_or_default();
        let lacks_scope = answer.status == 400
            && problem.error.starts_with("Missing required")
            && problem.error.contains("scope");
        let mut text = if problem.error.is_empty() {
            format!("The server answered with status {}", answer.status)
        } else {
            problem.error
        };
        let more = problem.message.into_iter().chain(problem.details).chain(problem.hint);
        for part in more {
            text.push_str(". ");
            text.push_str(&part);
        }
        let step = next_step(&problem.code, answer.status);
        if !step.is_empty() {
            text.push_str(". ");
            text.push_str(step);
        }
        Self { text, lacks_scope }
    }
}

/// What to do about an error, beyond what its text says.
fn next_step(code: &str, status: u16) -> &'static str {
    match (code, status) {
        ("lease_lost", _) => {
            "Stop working on this task, because it is no longer yours. task_get shows what became of \
             it; task_next gives you other work"
        }
        ("task_not_found", _) => "board with `search` finds tasks by their title or id",
        ("dependency_cycle", _) => "Leave out one of the dependencies",
        ("already_exists", _) => "board with `search` shows the task that has this name",
        ("unconfirmed", _) => {
            "Look with task_get or board whether it was done, before you repeat it"
        }
        ("rate_limited", _) => "Wait as long as it says, then call again",
        (_, 401) => {
            "The person who set this server up must check the key: octopoid mcp config shows how"
        }
        (_, 403) => "Ask the person who set this server up for a key that may do it",
        (_, 409 | 412) => "task_get shows the task as it is now",
        (_, 500..) => "Nothing is wrong with the call: try it again in a moment",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Failure;
    use crate::backend::Answer;

    #[test]
    fn an_error_has_its_text_its_details_and_the_next_step() {
        let body =
            json!({"error": "Lease lost", "code": "lease_lost", "details": ["Claimed by b"]});
        let text = Failure::refused(&Answer { status: 409, body }).text;
        assert!(text.starts_with("Lease lost. Claimed by b. Stop working on this task"), "{text}");
        let text = Failure::refused(&Answer { status: 502, body: json!(null) }).text;
        assert!(
            text.starts_with("The server answered with status 502. Nothing is wrong"),
            "{text}"
        );
    }
}
