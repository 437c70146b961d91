//! What went wrong with a batch, and whether anything of it can have been done.

use octopoid_store::EngineError;
use tokio_postgres::{Error, error::SqlState};

/// How far a batch had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was sent.
    Before,
    /// All of it was sent, and this is the answer to its beginning.
    Begin,
    /// All of it was sent, and this is the answer to a statement.
    Sent,
    /// All of it was sent, and this is the answer to a statement that is its own transaction.
    Whole,
    /// This is the answer to the commit.
    Commit,
}

/// Why a batch was not run to its end.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// It met another one. Nothing was done, and it may be run again.
    Conflict(String),
    /// It waited too long for a lock. Nothing was done, and it may be run again, but not before
    /// others had their turn.
    Locked(String),
    /// PostgreSQL ended it before its commit: it took too long, or was cancelled.
    Cancelled(String),
    /// The answer has more text than allowed.
    TooLarge,
    /// The rest.
    Final(EngineError),
}

impl Failure {
    pub(crate) fn new(error: &Error, stage: Stage) -> Self {
        let text = described(error);
        let Some(code) = error.code() else {
            // No answer of the server's: the connection is gone, or the driver has refused.
            return Self::Final(match stage {
                Stage::Before => EngineError::Unavailable(text),
                _ if is_lost(error) => EngineError::Unconfirmed(text),
                _ => EngineError::Statement(text),
            });
        };
        // The server has said that a statement failed, so what follows it cannot be committed.
        let is_met = [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED];
        if is_met.contains(&code) {
            return Self::Conflict(text);
        }
        if *code == SqlState::LOCK_NOT_AVAILABLE {
            return Self::Locked(text);
        }
        if *code == SqlState::QUERY_CANCELED && stage != Stage::Commit {
            return Self::Cancelled(text);
        }
        let may_be_committed = matches!(stage, Stage::Whole | Stage::Commit)
            && *code != SqlState::READ_ONLY_SQL_TRANSACTION;
        let is_damage = [&SqlState::DATA_CORRUPTED, &SqlState::INDEX_CORRUPTED];
        Self::Final(match &code.code()[..2] {
            "23" => EngineError::Constraint(text),
            _ if is_damage.contains(&code) => EngineError::Damaged(text),
            // A standby says so here, with a code that elsewhere is a statement's fault.
            _ if stage == Stage::Begin => EngineError::Unavailable(text),
            _ if is_server_unable(code) && may_be_committed => EngineError::Unconfirmed(text),
            _ if is_server_unable(code) => EngineError::Unavailable(text),
            _ => EngineError::Statement(text),
        })
    }
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict(text) | Failure::Locked(text) | Failure::Cancelled(text) => {
                Self::Busy(text)
            }
            Failure::TooLarge => Self::TooLarge,
            Failure::Final(error) => error,
        }
    }
}

/// Whether the fault is the server's state, and not the statement's: it is starting, stopping, full,
/// a standby, has no connection left, or took too long.
fn is_server_unable(code: &SqlState) -> bool {
    // Connection exception, insufficient resources, operator intervention, system error; and a
    // read-only transaction.
    matches!(&code.code()[..2], "08" | "53" | "57" | "58") || code.code() == "25006"
}

fn is_lost(error: &Error) -> bool {
    error.is_closed()
        || std::error::Error::source(error)
            .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// An error with its causes. The driver keeps what the server said in the cause.
pub(crate) fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
