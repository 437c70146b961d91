//! Values of columns: how a type is read from one, and how it is bound to a parameter.

use octopoid_domain::{Millis, action, key, orchestrator, run, webhook};
use serde_json::Value as Json;

use crate::{
    StoreError,
    columns::Kind,
    engine::{Parameter, Row, Value},
};

/// Takes a row's columns one after the other.
pub(crate) struct RowReader(std::vec::IntoIter<Value>);

impl RowReader {
    pub(crate) fn new(row: Row) -> Self {
        Self(row.into_iter())
    }

    /// The next column.
    pub(crate) fn next<T: Stored>(&mut self) -> Result<T, StoreError> {
        // No error is made where there is none: a row has many columns.
        let Some(value) = self.0.next() else {
            return Err(StoreError::Corrupt("a row is too short"));
        };
        match T::read(value) {
            Some(value) => Ok(value),
            None => Err(StoreError::Corrupt("a column is of another type than expected")),
        }
    }
}

/// A type that is kept in a column.
pub(crate) trait Stored: Sized {
    /// What the column holds.
    const KIND: Kind;

    /// Reads a value; `None` if it is of another kind.
    fn read(value: Value) -> Option<Self>;

    /// The parameter for this value.
    fn bind(&self) -> Parameter;
}

impl Stored for String {
    const KIND: Kind = Kind::Text;

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Null => None,
        }
    }

    fn bind(&self) -> Parameter {
        self.as_str().into()
    }
}

impl Stored for i64 {
    const KIND: Kind = Kind::Int;

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(number),
            Value::Text(_) | Value::Null => None,
        }
    }

    fn bind(&self) -> Parameter {
        (*self).into()
    }
}

impl Stored for bool {
    const KIND: Kind = Kind::Int;

    fn read(value: Value) -> Option<Self> {
        i64::read(value).map(|number| number != 0)
    }

    fn bind(&self) -> Parameter {
        (*self).into()
    }
}

impl Stored for Millis {
    const KIND: Kind = Kind::Int;

    fn read(value: Value) -> Option<Self> {
        i64::read(value).map(Millis)
    }

    fn bind(&self) -> Parameter {
        (*self).into()
    }
}

impl<T: Stored> Stored for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }

    fn bind(&self) -> Parameter {
        match self {
            Some(value) => value.bind(),
            None => T::KIND.null(),
        }
    }
}

/// JSON, of which `null` is the absence.
impl Stored for Json {
    const KIND: Kind = Kind::Text;

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Text(text) => serde_json::from_str(&text).ok(),
            Value::Int(_) => None,
        }
    }

    fn bind(&self) -> Parameter {
        (!self.is_null()).then(|| self.to_string()).into()
    }
}

/// A list of texts, as JSON.
impl Stored for Vec<String> {
    const KIND: Kind = Kind::Text;

    fn read(value: Value) -> Option<Self> {
        serde_json::from_str(&String::read(value)?).ok()
    }

    fn bind(&self) -> Parameter {
        Json::from(self.as_slice()).to_string().into()
    }
}

/// Types that are kept as a word.
macro_rules! words {
    ($($type:ty),+) => {
        $(impl Stored for $type {
            const KIND: Kind = Kind::Text;

            fn read(value: Value) -> Option<Self> {
                Self::parse(&String::read(value)?)
            }

            fn bind(&self) -> Parameter {
                self.as_str().into()
            }
        })+
    };
}
words!(
    action::Status,
    key::Permission,
    orchestrator::Status,
    run::Kind,
    run::Outcome,
    webhook::DeliveryResult,
    webhook::Format
);

/// The first column of the first row, where a statement returns a single number.
pub(crate) fn number(rows: Vec<Row>) -> Result<i64, StoreError> {
    let row = rows.into_iter().next().ok_or(StoreError::Corrupt("a count returned no row"))?;
    RowReader::new(row).next()
}
