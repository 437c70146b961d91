//! Classifies errors of a batch by whether it may have been committed.

use octopoid_store::{EngineError, engine::causes::joined};
use tokio_postgres::{Error, error::SqlState};

/// The progress of a batch at the time of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was sent.
    Before,
    /// Everything was sent, and this is the response to BEGIN.
    Begin,
    /// Everything was sent, and this is the response to a statement.
    Sent,
    /// Everything was sent, and this is the response to a statement without a transaction block.
    Whole,
    /// This is the response to COMMIT.
    Commit,
}

/// Why a batch failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// A conflict with another transaction. Nothing was changed, and the batch can be retried.
    Conflict(String),
    /// A lock timeout. Nothing was changed, and the batch can be retried after others had access to
    /// the connection.
    Locked(String),
    /// PostgreSQL ended it before its commit because of a timeout or a cancel request.
    Cancelled(String),
    /// The result exceeds the text limit.
    TooLarge,
    /// The driver has failed, for example to decode a value. The batch may have been committed.
    Driver(String),
    /// All other errors.
    Final(EngineError),
}

/// What can be done for the batches of a group that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing was changed because of one batch: the halves of the group are run.
    Halves,
    /// Nothing was changed, and more attempts as a group would take too long: each batch is run
    /// alone.
    Alone,
    /// Nothing: the batches may have been committed, or none could be now.
    None,
}

impl Failure {
    /// What can be done for the batches of a group that has failed by this.
    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Cancelled(_) | Self::TooLarge | Self::Final(EngineError::TooSlow) => {
                Remedy::Alone
            }
            Self::Final(
                EngineError::Unconfirmed(_) | EngineError::Unavailable(_) | EngineError::Busy(_),
            )
            | Self::Driver(_) => Remedy::None,
            // One batch was in conflict, or one of its statements was refused.
            Self::Conflict(_) | Self::Locked(_) | Self::Final(_) => Remedy::Halves,
        }
    }

    pub(crate) fn new(error: &Error, stage: Stage) -> Self {
        let text = joined(error);
        let Some(code) = error.code() else {
            // Not an error of the server: the connection was lost, or the driver has failed.
            return Self::Final(match stage {
                Stage::Before => EngineError::Unavailable(text),
                _ if is_lost(error) => EngineError::Unconfirmed(text),
                _ => return Self::Driver(text),
            });
        };
        // The server reported a failed statement, so the transaction cannot be committed.
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
            // A standby reports this here, with a code that elsewhere means an invalid statement.
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
            Failure::Driver(text) => Self::Statement(text),
            Failure::Final(error) => error,
        }
    }
}

/// Whether the error is caused by the state of the server, not by the statement: starting,
/// stopping, disk full, standby, too many connections, timeout.
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
