//! Parameters and columns in PostgreSQL's protocol.

use std::error::Error;

use octopoid_store::engine::{Parameter, Row, Value};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::failure::Failure;

/// An encoded parameter.
#[derive(Debug)]
pub(crate) enum Bound<'a> {
    /// One value.
    One(&'a Parameter),
    /// Numbers of several batches.
    Ints(Vec<Option<i64>>),
    /// Texts of several batches.
    Texts(Vec<Option<&'a str>>),
}

impl<'a> Bound<'a> {
    /// The values of a parameter in several statements of the same text, which must be of one type.
    pub(crate) fn many(values: impl IntoIterator<Item = &'a Parameter>) -> Result<Self, Failure> {
        let (mut ints, mut texts) = (Vec::new(), Vec::new());
        for value in values {
            match value {
                Parameter::Int(number) => ints.push(*number),
                Parameter::Text(text) => texts.push(text.as_deref()),
            }
        }
        match (ints.is_empty(), texts.is_empty()) {
            (true, _) => Ok(Self::Texts(texts)),
            (_, true) => Ok(Self::Ints(ints)),
            (false, false) => {
                let text = "a parameter is a number in one batch and a text in another";
                Err(Failure::Driver(text.to_owned()))
            }
        }
    }

    /// The declared type: every number is a BIGINT.
    pub(crate) fn declared(&self) -> Type {
        match self {
            Self::One(Parameter::Int(_)) => Type::INT8,
            Self::One(Parameter::Text(_)) => Type::TEXT,
            Self::Ints(_) => Type::INT8_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
        }
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::One(Parameter::Int(number)) => number.to_sql(ty, out),
            Self::One(Parameter::Text(text)) => text.as_deref().to_sql(ty, out),
            Self::Ints(numbers) => numbers.to_sql(ty, out),
            Self::Texts(texts) => texts.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::INT8_ARRAY | Type::TEXT_ARRAY)
    }

    to_sql_checked!();
}

/// A decoded column.
struct Column(Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let value = match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(ty, raw)?.into()),
            Type::VOID => Value::Null,
            _ => Value::Text(String::from_sql(ty, raw)?),
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BOOL | Type::VOID)
            || <String as FromSql>::accepts(ty)
    }
}

/// The columns of a row.
pub(crate) fn row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    (0..row.len()).map(|index| row.try_get(index).map(|Column(value)| value)).collect()
}
