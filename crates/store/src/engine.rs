//! The seam between the operations and a database: a batch goes in, rows come out.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
/// For the texts of [`EngineError`]: drivers put what matters into the causes of their errors.
pub use octopoid_domain::causes;
use thiserror::Error;

use crate::Sql;

/// The most parameters of a statement: D1 binds no more.
pub const PARAMETERS_MAX: usize = 100;

/// The whole of what a backend must do. A batch is all or nothing; its answers come in its order.
///
/// The limits of the narrowest backend hold for every batch: [`PARAMETERS_MAX`] a statement, five
/// queries in one UNION, and integers below 2^53.
pub trait Engine: Send + Sync + 'static {
    /// Runs statements that change nothing, all on one state of the database. May be served by a
    /// replica.
    ///
    /// Dropping the future says that nobody waits for the answer any more: an engine that can end
    /// the read then does so, whether it runs or still waits for its turn. A read that runs longer
    /// than it may, in a server [`READ_TIME_MAX`], ends with [`EngineError::TooSlow`].
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>>;

    /// The same for a batch that reads a few rows by their keys, as most requests do first. An
    /// engine that can answer at once may do so on the caller's thread.
    fn read_by_key(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.read(batch)
    }

    /// Runs a batch atomically. Returns only when it is durable. A batch that was begun runs to its
    /// end, even if its future is dropped. An engine that one process has alone runs batches in the
    /// order in which they come, those of [`write_for_health`](Self::write_for_health) among them.
    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>>;

    /// Writes for the health check, or asks with an empty batch whether a write would be taken. An
    /// engine that can be filled with writes keeps a way apart for it.
    fn write_for_health(
        &self,
        batch: Vec<Statement>,
    ) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.write(batch)
    }

    /// Reads for the health check. An engine that can be filled with reads keeps a way apart for
    /// it, and looks after whatever else must be sound before a write can be kept.
    fn read_for_health(
        &self,
        batch: Vec<Statement>,
    ) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.read_by_key(batch)
    }

    /// How many calls of [`read`](Self::read) run at the same time before others wait. The store
    /// lets no tenant have all of them.
    fn readers(&self) -> usize {
        usize::MAX
    }

    /// Whether no other process can write while this one has the database. The store then keeps copies
    /// of what it has written last. Its statements for SQLite are used.
    fn is_exclusive(&self) -> bool {
        false
    }

    /// Says that the process is about to end. A read that runs for more than a second after this
    /// ends with [`EngineError::Stopping`]. Writes go on.
    fn stop_reads(&self) {}
}

/// A value that comes out of the database. Instants are integers in milliseconds, booleans 0 and 1,
/// ids and JSON text: so the schema is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// An integer below 2^53.
    Int(i64),
    /// Text.
    Text(String),
}

/// A value that goes into the database. Its type is known where it is absent too, because
/// PostgreSQL asks for the type of each parameter before it sees a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parameter {
    /// An integer below 2^53, or null.
    Int(Option<i64>),
    /// Text, or null.
    Text(Option<String>),
}

/// The columns of a row, in the order the statement names them.
pub type Row = Vec<Value>;

/// The most bytes of text that the rows of one read have in all, on a machine of our own: 64 MiB.
pub const TEXT_MAX: usize = 64 << 20;

/// How long a read may run, on a machine of our own.
pub const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// How many bytes of text a row has.
pub fn text_bytes(row: &[Value]) -> usize {
    let bytes = row.iter().map(|value| match value {
        Value::Text(text) => text.len(),
        Value::Int(_) | Value::Null => 0,
    });
    bytes.sum()
}

/// The rows that a statement returned.
pub type Rows = Vec<Row>;

/// A statement with its parameters. The text is made of constants only, never of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, with `?1`, `?2`, … for the parameters.
    pub sql: Sql,
    /// The parameters, from `?1`.
    pub parameters: Vec<Parameter>,
}

impl Statement {
    /// How many bytes of text its parameters have.
    pub fn text_bytes(&self) -> usize {
        let bytes = self.parameters.iter().map(|parameter| match parameter {
            Parameter::Text(text) => text.as_ref().map_or(0, String::len),
            Parameter::Int(_) => 0,
        });
        bytes.sum()
    }
}

/// The machine's reasons to fail. Only the last three may be the caller's fault.
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
    /// The backend works, but others are in the way of this batch: no connection became free, or a
    /// row stayed locked. Nothing of the batch was done, and it says nothing about other batches.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The connection was lost before the backend confirmed the batch. It was done whole or not at
    /// all, and nobody can tell which.
    #[error("the database did not confirm the write: {0}")]
    Unconfirmed(String),
    /// The backend found that what it has stored is damaged. Nothing of the batch was done.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The process is about to end, and the read took too long to wait for it.
    #[error("the server is stopping")]
    Stopping,
    /// A read took longer than the engine lets it, which is [`READ_TIME_MAX`] in a server.
    #[error("a read took too long")]
    TooSlow,
    /// A read would return more text than the backend holds in memory for one caller.
    #[error("the rows that were asked for are too large in all")]
    TooLarge,
    /// A row would become longer than the backend keeps. Nothing of the batch was done.
    #[error("a row would become too large")]
    RowTooLarge,
}

/// A type whose values, and their absence, can be bound to a parameter.
pub trait Bind: Sized {
    /// The parameter for this value, or for its absence.
    fn bind(value: Option<Self>) -> Parameter;
}

impl<T: Bind> From<T> for Parameter {
    fn from(value: T) -> Self {
        T::bind(Some(value))
    }
}

impl<T: Bind> From<Option<T>> for Parameter {
    fn from(value: Option<T>) -> Self {
        T::bind(value)
    }
}

impl<'a> From<&'a Option<String>> for Parameter {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

/// What comes back of a value that was stored.
impl<T: Bind> From<T> for Value {
    fn from(value: T) -> Self {
        match T::bind(Some(value)) {
            Parameter::Int(number) => number.map_or(Self::Null, Self::Int),
            Parameter::Text(text) => text.map_or(Self::Null, Self::Text),
        }
    }
}

impl Bind for i64 {
    fn bind(value: Option<Self>) -> Parameter {
        Parameter::Int(value)
    }
}

impl Bind for bool {
    fn bind(value: Option<Self>) -> Parameter {
        Parameter::Int(value.map(i64::from))
    }
}

impl Bind for octopoid_domain::Millis {
    fn bind(value: Option<Self>) -> Parameter {
        Parameter::Int(value.map(|instant| instant.0))
    }
}

impl Bind for String {
    fn bind(value: Option<Self>) -> Parameter {
        Parameter::Text(value)
    }
}

impl Bind for &String {
    fn bind(value: Option<Self>) -> Parameter {
        Parameter::Text(value.cloned())
    }
}

impl Bind for &str {
    fn bind(value: Option<Self>) -> Parameter {
        Parameter::Text(value.map(str::to_owned))
    }
}

/// Binds parameters to a constant text: `bind!(SQL, a, b)`.
macro_rules! bind {
    ($sql:expr $(, $parameter:expr)* $(,)?) => {
        $crate::engine::Statement {
            sql: $crate::Sql::from($sql),
            parameters: vec![$($crate::engine::Parameter::from($parameter)),*],
        }
    };
}
pub(crate) use bind;

/// A shared engine.
pub type SharedEngine = Arc<dyn Engine>;
