//! Runs the statements of a batch on a connection.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use octopoid_store::{
    EngineError,
    engine::{Parameter, Row, Rows, Statement, Value},
};
use rusqlite::{Connection, ErrorCode, PrepFlags, types::ValueRef};

/// Why a batch failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An SQLite error.
    Sqlite(rusqlite::Error),
    /// The rows exceed the text limit.
    TooLarge,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => engine_error(&error),
            Failure::TooLarge => Self::TooLarge,
        }
    }
}

/// Runs statements in order and collects their rows, which may have at most `text_max` bytes of
/// text. The caller holds the transaction.
pub(crate) fn run(
    connection: &Connection,
    batch: &[Statement],
    text_max: usize,
) -> Result<Vec<Rows>, Failure> {
    let mut text_left = text_max;
    run_each(batch, |statement, sql| {
        // Texts that were put together for one request are too many to keep.
        if statement.sql.is_constant() {
            rows(&mut *connection.prepare_cached(sql)?, statement, &mut text_left)
        } else {
            rows(&mut connection.prepare(sql)?, statement, &mut text_left)
        }
    })
}

/// Runs those statements of a batch, in order, that SQLite has a text for.
fn run_each(
    batch: &[Statement],
    mut run: impl FnMut(&Statement, &str) -> Result<Rows, Failure>,
) -> Result<Vec<Rows>, Failure> {
    let each = |statement: &Statement| match statement.sql.sqlite() {
        Some(sql) => run(statement, sql),
        None => Ok(Rows::new()),
    };
    batch.iter().map(each).collect()
}

/// The prepared statements of a connection, for the thread that owns it. They are found by where
/// their constant texts are, because those of writes are too long to be hashed each time.
pub(crate) struct Prepared<'c> {
    connection: &'c Connection,
    kept: HashMap<(usize, usize), rusqlite::Statement<'c>>,
}

impl<'c> Prepared<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, kept: HashMap::new() }
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Runs a constant text that has no parameters.
    pub(crate) fn execute(&mut self, sql: &'static str) -> rusqlite::Result<()> {
        self.get(sql)?.execute([]).map(drop)
    }

    /// The same as [`run`], without a limit of text.
    pub(crate) fn run(&mut self, batch: &[Statement]) -> Result<Vec<Rows>, Failure> {
        let mut no_limit = usize::MAX;
        run_each(batch, |statement, sql| {
            if statement.sql.is_constant() {
                let prepared = self.get(sql)?;
                prepared.clear_bindings();
                rows(prepared, statement, &mut no_limit)
            } else {
                rows(&mut self.connection.prepare(sql)?, statement, &mut no_limit)
            }
        })
    }

    /// `sql` is constant, so that nothing else ever is where it is.
    fn get(&mut self, sql: &str) -> rusqlite::Result<&mut rusqlite::Statement<'c>> {
        match self.kept.entry((sql.as_ptr().addr(), sql.len())) {
            Entry::Occupied(kept) => Ok(kept.into_mut()),
            Entry::Vacant(place) => {
                let flags = PrepFlags::SQLITE_PREPARE_PERSISTENT;
                Ok(place.insert(self.connection.prepare_with_flags(sql, flags)?))
            }
        }
    }
}

/// Runs a prepared statement, and takes what text its rows have from `text_left`.
fn rows(
    prepared: &mut rusqlite::Statement<'_>,
    statement: &Statement,
    text_left: &mut usize,
) -> Result<Rows, Failure> {
    debug_assert!(names_differ(prepared), "D1 knows columns by their names: {:?}", statement.sql);
    for (index, value) in statement.parameters.iter().enumerate() {
        match value {
            Parameter::Int(number) => prepared.raw_bind_parameter(index + 1, number)?,
            Parameter::Text(text) => prepared.raw_bind_parameter(index + 1, text)?,
        }
    }
    let columns = prepared.column_count();
    let mut found = prepared.raw_query();
    let mut rows = Rows::new();
    while let Some(row) = found.next()? {
        let mut values = Row::with_capacity(columns);
        for index in 0..columns {
            let value = value(row.get_ref(index)?);
            if let Value::Text(text) = &value {
                *text_left = text_left.checked_sub(text.len()).ok_or(Failure::TooLarge)?;
            }
            values.push(value);
        }
        rows.push(values);
    }
    Ok(rows)
}

/// Whether no two columns of a result have the same name.
fn names_differ(prepared: &rusqlite::Statement<'_>) -> bool {
    let mut names = HashSet::new();
    prepared.column_names().into_iter().all(|name| names.insert(name))
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // The schema has neither type, but a file written by another program might.
        #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is meant")]
        ValueRef::Real(number) => Value::Int(number as i64),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Text(text(bytes)),
    }
}

/// A text that another program wrote may be malformed. What is well-formed is checked faster.
fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Classifies an SQLite error.
fn engine_error(error: &rusqlite::Error) -> EngineError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => EngineError::Constraint(text),
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory,
        ) => EngineError::Unavailable(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => EngineError::Damaged(text),
        _ => EngineError::Statement(text),
    }
}
