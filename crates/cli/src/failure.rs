//! Why a command came to nothing: the exit code, one sentence, and what to do next.

use std::io;

use octopoid_client::Error;
use octopoid_domain::causes::innermost;
use serde_json::json;

use crate::output::{SCHEMA_VERSION, one_line};

/// The exit code of a command that failed. Success is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything that has no code of its own.
    Failure = 1,
    /// The command line or the configuration makes no sense.
    Usage = 2,
    /// There is no such thing, or the key does not show it.
    NotFound = 3,
    /// The state does not allow it: another agent holds the task, or it has changed.
    Conflict = 4,
    /// There is nothing to claim.
    Nothing = 5,
    /// The key is missing, unknown, or may not do this.
    Forbidden = 6,
    /// No answer came.
    Unreachable = 7,
}

/// Why a command came to nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// One sentence; empty if the reader of the output has closed it.
    pub(crate) text: String,
    /// The code of the server's refusal.
    pub(crate) code: Option<String>,
    /// What to do next, a line each.
    pub(crate) remedies: Vec<String>,
    /// Whether a program reads it.
    pub(crate) is_for_programs: bool,
}

/// What a command comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with a code of its own.
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        let (code, remedies, is_for_programs) = (None, Vec::new(), false);
        Self { exit, text: text.into(), code, remedies, is_for_programs }
    }

    /// A failure of the command line or the configuration.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// A failure without a code of its own.
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self::new(Exit::Failure, text)
    }

    /// The same, with one more thing to do.
    pub(crate) fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remedies.push(text.into());
        self
    }

    /// The lines to print.
    pub(crate) fn lines(&self) -> String {
        if self.text.is_empty() {
            return String::new();
        }
        if self.is_for_programs {
            let error = json!({
                "schema_version": SCHEMA_VERSION,
                "error": self.text,
                "code": self.code,
                "exit_code": self.exit as u8,
                "remedies": self.remedies,
            });
            return format!("{error}\n");
        }
        // Parts of it are from the server, and must not control a terminal.
        let remedies = self.remedies.iter().map(|remedy| format!("  {}\n", one_line(remedy)));
        format!("error: {}\n{}", one_line(&self.text), remedies.collect::<String>())
    }
}

/// A reader that has gone, such as `head`, wants no error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::other(""),
            _ => Self::other(format!("cannot write the output: {error}")),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::other(octopoid_server::error_text(&error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { status, code, error, details } => {
                refused(status, &code, &error, &details)
            }
            Error::Transport(error) if error.is_builder() => {
                Self::usage(format!("the address or the key is invalid: {}", innermost(&error)))
                    .remedy("octopoid config show --origin says where they come from")
            }
            Error::Transport(error) => {
                let server = error.url().map(|url| url.origin().ascii_serialization());
                let server = server.unwrap_or_else(|| "the server".to_owned());
                Self::new(
                    Exit::Unreachable,
                    format!("cannot reach {server}: {}", innermost(&error)),
                )
                .remedy("is it running? octopoid up serves this repository, octopoid serve a team")
                .remedy("another server: --server URL, or OCTOPOID_SERVER")
            }
            Error::Redirected { target, .. } if !target.is_empty() => {
                Self::new(Exit::Unreachable, format!("the server redirects to {target}")).remedy(
                    "nothing was sent there; if it is right: --server URL, or OCTOPOID_SERVER",
                )
            }
            Error::Redirected { status, .. } | Error::UnexpectedBody { status, .. } => {
                Self::new(Exit::Unreachable, format!("{error}; its status is {status}"))
                    .remedy("is this address an Octopoid server? octopoid config show --origin")
            }
            Error::Unsendable(_) => Self::other(error.to_string()),
        }
    }
}

fn refused(status: u16, code: &str, error: &str, details: &[String]) -> Failure {
    let exit = match status {
        400 if is_scope_missing(code, error) => Exit::Usage,
        401 | 403 => Exit::Forbidden,
        404 | 410 => Exit::NotFound,
        409 | 412 | 422 => Exit::Conflict,
        502..=504 => Exit::Unreachable,
        _ => Exit::Failure,
    };
    let details = match details {
        [] => String::new(),
        details => format!(": {}", details.join(", ")),
    };
    let mut failure = Failure::new(exit, format!("{error}{details} ({code})"));
    failure.code = Some(code.to_owned());
    failure.remedies.extend(remedy(code, error).map(str::to_owned));
    failure
}

/// Whether the request has to name a scope.
fn is_scope_missing(code: &str, error: &str) -> bool {
    code == "invalid_request" && error.starts_with("Missing required") && error.contains("scope")
}

/// What to do after a refusal with this code.
fn remedy(code: &str, error: &str) -> Option<&'static str> {
    match code {
        "unauthorized" => Some(
            "set a key: OCTOPOID_KEY, --key-file FILE, or key in a profile; octopoid config show \
             says which one is used",
        ),
        "forbidden" => Some("use a key with more permission: octopoid key issue --permission"),
        "scope_mismatch" => Some("leave --scope out: a key has its scope"),
        "task_not_found" => Some("octopoid task list shows the tasks of the scope"),
        "lease_lost" => Some(
            "octopoid task get says who holds it; octopoid task requeue takes it away from them",
        ),
        "wrong_state" => Some("octopoid task get shows its queue and what may happen next"),
        "version_conflict" | "race" => Some("it was changed meanwhile: look again and repeat"),
        "events_gone" => Some("start with the oldest event that is kept: --since 0"),
        "endpoint_not_found" => Some(
            "the server does not offer this: perhaps it is older than this program. Managing keys \
             and the log needs one in OCTOPOID_KEY: a key that may manage, or the API_SECRET_KEY of \
             the server",
        ),
        "already_exists" => Some("choose another id, or leave it out to have one made"),
        _ if is_scope_missing(code, error) => {
            Some("name a scope: --scope NAME, OCTOPOID_SCOPE, or scope in a profile")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use octopoid_client::Error;

    use super::{Exit, Failure, refused};

    #[test]
    fn the_exit_code_follows_from_the_status() {
        for (status, exit) in [
            (400, Exit::Failure),
            (401, Exit::Forbidden),
            (403, Exit::Forbidden),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (412, Exit::Conflict),
            (503, Exit::Unreachable),
            (500, Exit::Failure),
        ] {
            assert_eq!(refused(status, "c", "no", &[]).exit, exit, "{status}");
        }
    }

    #[test]
    fn what_a_server_says_does_not_control_the_terminal() {
        let lines = refused(409, "c\u{7}", "a\u{1b}]0;x\u{7}b\nerror: c", &[]).lines();
        assert_eq!(lines, "error: ab error: c (c)\n");
        let remedy = Failure::other("a").remedy("b\u{1b}[2Jc\u{9b}d").lines();
        assert!(!remedy.contains(|c: char| c.is_control() && c != '\n'), "{remedy:?}");
    }

    #[test]
    fn a_failure_is_a_sentence_and_what_to_do_next() {
        let failure = refused(409, "lease_lost", "Failed", &["held by a".to_owned()]);
        let lines = failure.lines();
        assert!(lines.starts_with("error: Failed: held by a (lease_lost)\n  octopoid task get "));
        let target = "https://a.example/b".to_owned();
        let moved = Failure::from(Error::Redirected { status: 308, target }).lines();
        assert!(moved.starts_with("error: the server redirects to https://a.example/b\n"));
        assert!(moved.contains("--server URL"), "{moved}");
        let gone = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(gone.lines(), "");
    }
}
