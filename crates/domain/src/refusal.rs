//! Every reason to say no to a caller, with the words and the stable code of the wire.

use std::borrow::Cow;

use thiserror::Error;

use crate::{input::BodyError, step::Step, text::shown};

/// How many ids of a cycle an answer lists.
const PATH_MAX: usize = 100;
/// How many of them its text names.
const PATH_SHOWN_MAX: usize = 8;

/// A refusal: the caller's business, never the server's fault. `Display` is the `error` text that
/// the wire contract prescribes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The request is invalid.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// A queue name that the flow does not have.
    #[error("Invalid queue \"{queue}\". Valid queues for flow \"{flow}\": {states}")]
    InvalidQueue {
        /// The name asked for.
        queue: String,
        /// The flow that was consulted.
        flow: String,
        /// The flow's states, joined by ", ".
        states: String,
    },
    /// A role that is not registered in this scope.
    #[error("Unknown role '{role}'. Registered roles: {registered}")]
    UnknownRole {
        /// The name asked for.
        role: String,
        /// The registered names, sorted, joined by ", ".
        registered: String,
    },
    /// The task does not exist, or not in the caller's scope.
    #[error("Task not found")]
    TaskNotFound {
        /// The id asked for.
        id: String,
    },
    /// The object named in the text does not exist, or not in the caller's scope.
    #[error("{0}")]
    NotFound(String),
    /// The task is not in a state that allows the step.
    #[error("Failed to {} task", step.verb())]
    WrongState {
        /// What was tried.
        step: Step,
        /// Why not.
        reason: String,
    },
    /// The caller does not hold the lease it acts under.
    #[error("Failed to {} task", step.verb())]
    LeaseLost {
        /// What was tried.
        step: Step,
        /// Why not.
        reason: String,
    },
    /// The version the caller named is not the stored one.
    #[error("Failed to {} task", step.verb())]
    VersionConflict {
        /// What was tried.
        step: Step,
        /// The version the caller named.
        expected: i64,
        /// The stored version.
        found: i64,
    },
    /// The task has none of the versions that the precondition of the request names.
    #[error("The task has version {found}, which If-Match does not name")]
    PreconditionFailed {
        /// The stored version.
        found: i64,
    },
    /// The idempotency key belongs to another request.
    #[error(
        "Idempotency-Key was used with another request: repeat a request unchanged, and give each \
         new one a key of its own"
    )]
    IdempotencyMismatch,
    /// Others changed the task each time between reading and writing it.
    #[error("Failed to {} task ({})", step.verb(), race(*step))]
    Race {
        /// What was tried.
        step: Step,
    },
    /// Text for the log of a run that is not the caller's, or has ended.
    #[error("Failed to append to the log")]
    LogClosed {
        /// Why not.
        reason: String,
    },
    /// Text that does not continue the log.
    #[error("Failed to append to the log: expected offset {expected}, found {found}")]
    LogGap {
        /// Where the log ends, and the next text must begin.
        expected: i64,
        /// The offset of the text.
        found: i64,
    },
    /// It exists already; the text names it.
    #[error("{0}")]
    Duplicate(String),
    /// A task would wait for itself through others, and none of them could ever be claimed.
    #[error("blocked_by must not make tasks wait for each other: {}", circle(path))]
    DependencyCycle {
        /// The ids from the task to itself, each waiting for the next.
        path: Vec<String>,
    },
    /// The project still has tasks.
    #[error("Cannot delete project {id}: has {tasks} tasks")]
    ProjectInUse {
        /// The project.
        id: String,
        /// How many tasks it has.
        tasks: i64,
    },
    /// The key's permission does not suffice for this task.
    #[error("{0}")]
    NotPermitted(&'static str),
    /// The sign-in code does not exist, was used or revoked, or has expired.
    #[error(
        "The code is unknown, was used, or has expired: get a new link with `octopoid board`, or \
         sign in with an API key"
    )]
    InvalidCode,
    /// The key's scope is not the one asked for.
    #[error("{0}")]
    Forbidden(String),
    /// Events after the cursor were deleted, or the cursor is of another journal.
    #[error("{0}")]
    EventsGone(&'static str),
}

fn race(step: Step) -> &'static str {
    match step {
        Step::ForceQueue => "race condition",
        _ => "race or wrong state",
    }
}

/// A cycle in words.
fn circle(path: &[String]) -> String {
    let names = shortened(path, PATH_SHOWN_MAX);
    names.iter().map(|id| shown(id)).collect::<Vec<_>>().join(" -> ")
}

/// A path of at most so many ids: of a longer one both ends.
fn shortened(path: &[String], max: usize) -> Vec<String> {
    if path.len() <= max {
        return path.to_vec();
    }
    let end = path.len() - (max / 2 - 1);
    [&path[..max / 2], &["…".to_owned()], &path[end..]].concat()
}

impl Refusal {
    /// A 400 with this text.
    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }

    /// The code that programs may rely on; texts may be reworded, codes not.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::InvalidQueue { .. } => "invalid_queue",
            Self::UnknownRole { .. } => "unknown_role",
            Self::TaskNotFound { .. } => "task_not_found",
            Self::NotFound(_) => "not_found",
            Self::WrongState { .. } => "wrong_state",
            Self::LeaseLost { .. } | Self::LogClosed { .. } => "lease_lost",
            Self::LogGap { .. } => "log_gap",
            Self::VersionConflict { .. } => "version_conflict",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::Race { .. } => "race",
            Self::Duplicate(_) => "already_exists",
            Self::DependencyCycle { .. } => "dependency_cycle",
            Self::ProjectInUse { .. } => "project_in_use",
            Self::NotPermitted(_) => "forbidden",
            Self::InvalidCode => "invalid_code",
            Self::Forbidden(_) => "scope_mismatch",
            Self::EventsGone(_) => "events_gone",
        }
    }

    /// The `details` of the wire's 409, where it has any: the reason, or the path of a cycle.
    pub fn details(&self) -> Option<Vec<String>> {
        match self {
            Self::DependencyCycle { path } => Some(shortened(path, PATH_MAX)),
            _ => self.reason().map(|reason| vec![reason]),
        }
    }

    /// Why a task could not be changed, where there is more to say than that.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::WrongState { reason, .. }
            | Self::LeaseLost { reason, .. }
            | Self::LogClosed { reason } => Some(reason.clone()),
            Self::VersionConflict { expected, found, .. } => {
                Some(format!("Version mismatch: expected {expected}, found {found}"))
            }
            _ => None,
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::Invalid(error.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn a_long_cycle_is_shortened_in_the_middle() {
        let path = |length: u32| (0..length).map(|number| format!("t{number}")).collect();
        let short = Refusal::DependencyCycle { path: path(3) };
        let text = "blocked_by must not make tasks wait for each other: t0 -> t1 -> t2";
        assert_eq!(short.to_string(), text);
        assert_eq!(short.details().unwrap(), ["t0", "t1", "t2"]);
        let long = Refusal::DependencyCycle { path: path(1_000) };
        assert!(long.to_string().ends_with("t0 -> t1 -> t2 -> t3 -> … -> t997 -> t998 -> t999"));
        let details = long.details().unwrap();
        assert_eq!((details.len(), &*details[50], &*details[99]), (100, "…", "t999"));
    }
}
