//! The seam between the operations and a database: a batch goes in, rows come out.

use std::{borrow::Cow, sync::Arc};

use futures_util::future::BoxFuture;
use thiserror::Error;

/// The whole of what a backend must do. A batch is all or nothing; its answers come in its order.
///
/// The limits of the narrowest backend hold for every batch: at most 100 parameters a statement, and
/// integers below 2^53.
pub trait Engine: Send + Sync + 'static {
    /// Runs statements that change nothing, all on one state of the database. May be served by a
    /// replica.
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>>;

    /// The same for a batch that reads a few rows by their keys, as most requests do first. An
    /// engine that can answer at once may do so on the caller's thread.
    fn look_up(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.read(batch)
    }

    /// Runs a batch atomically. Returns only when it is durable.
    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>>;
}

/// A value that goes into or comes out of the database. Instants are integers in milliseconds,
/// booleans 0 and 1, ids and JSON text: so the schema is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// An integer below 2^53.
    Int(i64),
    /// Text.
    Text(String),
}

/// The columns of a row, in the order the statement names them.
pub type Row = Vec<Value>;
/// The rows that a statement returned.
pub type Rows = Vec<Row>;

/// A statement with its parameters. The text is made of constants only, never of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, with `?1`, `?2`, … for the parameters.
    pub sql: Cow<'static, str>,
    /// The parameters, from `?1`.
    pub parameters: Vec<Value>,
}

/// The machine's reasons to fail. Only the last may be the caller's fault.
#[derive(Clone, Debug, Error)]
pub enum EngineError {
    /// A constraint that no operation foresaw was broken: a bug in an operation.
    #[error("a constraint was broken: {0}")]
    Constraint(String),
    /// The backend refused the statement: a bug in its text.
    #[error("the database refused a statement: {0}")]
    Statement(String),
    /// The backend cannot be reached or cannot write. Nothing of the batch was done.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A read would return more text than the backend holds in memory for one caller.
    #[error("the rows that were asked for are too large in all")]
    TooLarge,
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<octopoid_domain::Millis> for Value {
    fn from(value: octopoid_domain::Millis) -> Self {
        Self::Int(value.0)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Value {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

/// Binds parameters to a constant text: `bind!(SQL, a, b)`.
macro_rules! bind {
    ($sql:expr $(, $parameter:expr)* $(,)?) => {
        $crate::engine::Statement {
            sql: std::borrow::Cow::Borrowed($sql),
            parameters: vec![$($crate::engine::Value::from($parameter)),*],
        }
    };
}
pub(crate) use bind;

/// A shared engine.
pub type SharedEngine = Arc<dyn Engine>;
