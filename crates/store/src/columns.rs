//! The columns of tables.

use crate::engine::Parameter;

/// What a column holds. PostgreSQL asks for the type of an absent value too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Integers.
    Int,
    /// Text.
    Text,
}

/// A column of a table. Those that the database computes are none: every engine computes the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Column {
    pub(crate) const fn int(name: &'static str) -> Self {
        Self { name, kind: Kind::Int }
    }

    pub(crate) const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }
}

impl Kind {
    /// The parameter for a value that is absent.
    pub(crate) fn null(self) -> Parameter {
        match self {
            Self::Int => Parameter::Int(None),
            Self::Text => Parameter::Text(None),
        }
    }
}
