//! Reading rows by position, in the order a noun's columns are named.

use octopoid_domain::Millis;

use crate::{
    StoreError,
    engine::{Row, Value},
};

/// Takes a row's columns one after the other.
pub(crate) struct RowReader(std::vec::IntoIter<Value>);

/// A type that a column is read as.
pub(crate) trait Column: Sized {
    /// Reads a value; `None` if it is of another kind.
    fn read(value: Value) -> Option<Self>;
}

impl RowReader {
    pub(crate) fn new(row: Row) -> Self {
        Self(row.into_iter())
    }

    /// The next column.
    pub(crate) fn next<T: Column>(&mut self) -> Result<T, StoreError> {
        let value = self.0.next().ok_or(StoreError::Corrupt("a row is too short"))?;
        T::read(value).ok_or(StoreError::Corrupt("a column is of another type than expected"))
    }
}

impl Column for String {
    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Null => None,
        }
    }
}

impl Column for i64 {
    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(number),
            Value::Text(_) | Value::Null => None,
        }
    }
}

impl Column for bool {
    fn read(value: Value) -> Option<Self> {
        i64::read(value).map(|number| number != 0)
    }
}

impl Column for Millis {
    fn read(value: Value) -> Option<Self> {
        i64::read(value).map(Millis)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

/// The first column of the first row, where a statement returns a single number.
pub(crate) fn number(rows: Vec<Row>) -> Result<i64, StoreError> {
    let row = rows.into_iter().next().ok_or(StoreError::Corrupt("a count returned no row"))?;
    RowReader::new(row).next()
}
