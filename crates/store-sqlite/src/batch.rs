//! Runs the statements of a batch on a connection.

use octopoid_store::{
    EngineError,
    engine::{Parameter, Row, Rows, Statement, Value},
};
use rusqlite::{Connection, ErrorCode, types::ValueRef};

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
    batch.iter().map(|statement| rows(connection, statement, &mut text_left)).collect()
}

fn rows(
    connection: &Connection,
    statement: &Statement,
    text_left: &mut usize,
) -> Result<Rows, Failure> {
    let Some(sql) = statement.sql.sqlite() else { return Ok(Rows::new()) };
    // Texts that were put together for one request are too many to keep.
    let mut cached;
    let mut once;
    let prepared: &mut rusqlite::Statement<'_> = if statement.sql.is_constant() {
        cached = connection.prepare_cached(sql)?;
        &mut cached
    } else {
        once = connection.prepare(sql)?;
        &mut once
    };
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

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // The schema has neither type, but a file written by another program might.
        #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is meant")]
        ValueRef::Real(number) => Value::Int(number as i64),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Value::Text(String::from_utf8_lossy(bytes).into_owned())
        }
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
