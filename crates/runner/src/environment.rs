//! The environment of an agent: the user's own, without what belongs to the runner.
//!
//! Every command that an agent runs sees the whole environment of the agent. So the runner's key and
//! the administrator's token must not be in it; the agent gets a key of its own run instead.

use std::ffi::{OsStr, OsString};

use serde_json::Value;

use crate::git;

/// The administrator's token, for the server.
const ADMINISTRATOR: &str = "API_SECRET_KEY";

/// Variables by which Claude Code knows that it runs inside of itself. Its configuration, such as
/// `CLAUDE_CODE_USE_BEDROCK`, stays.
const REMOVED: [&str; 5] = [
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
];

/// All of the runner's own variables begin like this. Agents get new ones.
const OWN: &str = "OCTOPOID_";

/// Variables that every program needs. An agent gets them also if the user allows only other names.
const NEEDED: [&str; 12] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// Parts of the names of variables whose values are not shown in logs.
const SECRET: [&str; 6] = ["AUTH", "CREDENTIAL", "KEY", "PASSW", "SECRET", "TOKEN"];

/// A value that is shorter than this is no secret, and would make logs unreadable.
const SECRET_BYTES_MIN: usize = 8;

/// Whether a variable is the runner's or the server's own. No other program gets it, not git either:
/// an agent can write hooks that git runs.
pub(crate) fn is_own(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(OWN.as_bytes()) || name == ADMINISTRATOR
}

/// Variables of an environment.
pub type Variables = Vec<(OsString, OsString)>;

/// Which of the user's variables an agent gets. Names may have `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Only these, and what every program needs; empty: all.
    pub allow: Vec<String>,
    /// Not these.
    pub deny: Vec<String>,
}

impl Policy {
    /// The part of an environment that an agent gets.
    pub fn apply(&self, inherited: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
        inherited.into_iter().filter(|(name, _)| self.permits(name)).collect()
    }

    fn permits(&self, name: &OsStr) -> bool {
        let is_own = is_own(name);
        let name = name.to_string_lossy();
        let is_in = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &name));
        let is_removed = is_own || REMOVED.contains(&&*name) || git::REDIRECTING.contains(&&*name);
        let is_allowed = self.allow.is_empty() || NEEDED.contains(&&*name) || is_in(&self.allow);
        !is_removed && is_allowed && !is_in(&self.deny)
    }
}

/// Whether a name fits a pattern, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, mut rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    while let Some((part, after)) = rest.split_once('*') {
        let Some(at) = name.find(part) else { return false };
        (name, rest) = (&name[at + part.len()..], after);
    }
    name.ends_with(rest)
}

/// Takes secrets out of a text.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// The longest first: one may contain another.
    secrets: Vec<String>,
}

impl Redactor {
    /// A redactor for these secrets, and the values of variables whose names say that they are
    /// secret.
    pub fn new<'a>(variables: &Variables, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let of_name = |(name, value): &(OsString, OsString)| {
            let name = name.to_string_lossy().to_ascii_uppercase();
            let is_secret = SECRET.iter().any(|part| name.contains(part));
            is_secret.then(|| value.to_string_lossy().into_owned())
        };
        let mut secrets: Vec<_> = variables
            .iter()
            .filter_map(of_name)
            .chain(secrets.into_iter().map(str::to_owned))
            .filter(|value| value.len() >= SECRET_BYTES_MIN && !is_path(value))
            .collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    /// The text with `[redacted]` in the place of each secret.
    pub fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            if text.contains(secret) { text.replace(secret, "[redacted]") } else { text }
        })
    }

    /// The same for all texts in a value. The names of members stay.
    pub fn redact_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact(text)),
            Value::Array(items) => items.into_iter().map(|item| self.redact_json(item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, self.redact_json(value))).collect()
            }
            other => other,
        }
    }
}

/// The value of `SSH_AUTH_SOCK` or `XAUTHORITY` is no secret.
fn is_path(value: &str) -> bool {
    value.starts_with('/') && std::path::Path::new(value).exists()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Policy, Redactor, Variables, matches};

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn names(policy: &Policy, pairs: &[(&str, &str)]) -> Vec<String> {
        let kept = policy.apply(variables(pairs));
        kept.into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
    }

    #[test]
    fn the_runners_own_secrets_stay_with_it() {
        let all = [
            ("PATH", "/bin"),
            ("OCTOPOID_KEY", "k"),
            ("OCTOPOID_ADMIN", "k"),
            ("API_SECRET_KEY", "k"),
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_USE_BEDROCK", "1"),
            ("ANTHROPIC_API_KEY", "k"),
        ];
        let kept = ["PATH", "CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_API_KEY"];
        assert_eq!(names(&Policy::default(), &all), kept);
        let allow = vec!["ANTHROPIC_*".to_owned(), "OCTOPOID_*".to_owned()];
        let policy = Policy { allow, deny: Vec::new() };
        assert_eq!(names(&policy, &all), ["PATH", "ANTHROPIC_API_KEY"]);
        let policy = Policy { deny: vec!["*_KEY".to_owned()], ..Policy::default() };
        assert_eq!(names(&policy, &all), ["PATH", "CLAUDE_CODE_USE_BEDROCK"]);
    }

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("A", "A", true),
            ("A", "AB", false),
            ("A*", "AB", true),
            ("*B", "AB", true),
            ("A*C", "ABC", true),
            ("A*C", "ABD", false),
            ("*A*", "BAB", true),
            ("AB*B", "AB", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let environment = variables(&[
            ("GITHUB_TOKEN", "ghp_12345678"),
            ("My_Password", "correct horse"),
            ("SSH_AUTH_SOCK", "/"),
            ("KEY", "short"),
            ("EDITOR", "vi-is-not-secret"),
        ]);
        let redactor = Redactor::new(&environment, ["oct_run_secret", "oct_run_secret_longer"]);
        let shown = redactor.redact(
            "ghp_12345678 correct horse / short vi-is-not-secret oct_run_secret_longer".to_owned(),
        );
        assert_eq!(shown, "[redacted] [redacted] / short vi-is-not-secret [redacted]");
        let value = json!({ "a": ["ghp_12345678", 1], "b": { "c": "my correct horse" } });
        let shown = json!({ "a": ["[redacted]", 1], "b": { "c": "my [redacted]" } });
        assert_eq!(redactor.redact_json(value), shown);
    }
}
