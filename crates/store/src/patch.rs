//! Partial updates: a column that the body does not mention keeps its value.
//!
//! Two bodies that change different columns at once both get their way, because neither writes what
//! it does not mention.

use octopoid_domain::{
    draft::Tags,
    input::{Count, Flag, Id, JsonText, Patch, Plain, PlainProse},
};

use crate::engine::{Bind, Parameter};

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
pub(crate) fn field<T: Bind>(patch: Patch<T>) -> [Parameter; 2] {
    match patch {
        Patch::Absent => [false.into(), T::bind(None)],
        Patch::Null => [true.into(), T::bind(None)],
        Patch::Set(value) => [true.into(), value.into()],
    }
}

macro_rules! bind_inner {
    ($take:ident: $($outer:ty),*) => {
        $(impl Bind for $outer {
            fn bind(value: Option<Self>) -> Parameter {
                value.$take(|value| value.0).into()
            }
        })*
    };
}
bind_inner!(map: Plain, PlainProse, Count, Flag);
bind_inner!(and_then: Id, JsonText, Tags);
