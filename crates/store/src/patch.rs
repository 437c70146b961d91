//! Partial updates: a column that the body does not mention keeps its value.
//!
//! Two bodies that change different columns at once both get their way, because neither writes what
//! it does not mention.

use octopoid_domain::{
    draft::Tags,
    input::{Count, Flag, Id, JsonText, Patch, Plain},
};

use crate::engine::Value;

/// Sets a column to the parameter `$value` if the parameter `$mentioned` is 1.
macro_rules! set {
    ($column:literal, $mentioned:literal, $value:literal) => {
        concat!(
            $column,
            " = CASE WHEN ?",
            $mentioned,
            " = 1 THEN ?",
            $value,
            " ELSE ",
            $column,
            " END"
        )
    };
}
pub(crate) use set;

/// The two parameters of a column: whether the body mentions it, and its new value.
pub(crate) fn field<T>(patch: Patch<T>) -> [Value; 2]
where
    Value: From<T>,
{
    match patch {
        Patch::Absent => [false.into(), Value::Null],
        Patch::Null => [true.into(), Value::Null],
        Patch::Set(value) => [true.into(), value.into()],
    }
}

macro_rules! into_value {
    ($($from:ty),*) => {
        $(impl From<$from> for Value { fn from(value: $from) -> Self { value.0.into() } })*
    };
}
into_value!(Plain, Id, JsonText, Tags, Count, Flag);
