//! Partial updates: a column that the body does not mention keeps its value.
//!
//! Two bodies that change different columns at once both get their way, because neither writes what
//! it does not mention.

use octopoid_domain::{
    draft::Tags,
    input::{Count, Flag, Id, JsonText, Patch, Plain, PlainProse},
};

use crate::{
    Stamp,
    engine::{Bind, Parameter, Statement},
    idempotency::unless_done,
    write::Write,
};

/// An update of the columns that a body mentions, and of the write's mark.
pub(crate) struct Update {
    text: String,
    parameters: Vec<Parameter>,
}

impl Update {
    /// An update that so far sets only the mark.
    pub(crate) fn of(table: &'static str, stamp: Stamp) -> Self {
        Self {
            text: format!("UPDATE {table} SET write_id = ?1"),
            parameters: vec![stamp.write_id.into()],
        }
    }

    /// Sets a column if the body mentions it.
    pub(crate) fn set<T: Bind>(&mut self, column: &'static str, patch: Patch<T>) {
        match patch {
            Patch::Absent => {}
            Patch::Null => self.set_to(column, "?#", T::bind(None)),
            Patch::Set(value) => self.set_to(column, "?#", value),
        }
    }

    /// Sets a column to an expression, in which `?#` stands for the value.
    pub(crate) fn set_to(
        &mut self,
        column: &'static str,
        expression: &'static str,
        value: impl Into<Parameter>,
    ) {
        let number = self.bind(value);
        self.text.extend([", ", column, " = ", &expression.replace("?#", &number)]);
    }

    /// The statement for the row with this id, if it is in the scope that the caller is confined to,
    /// and under a further condition. It returns the columns that are named.
    pub(crate) fn of_row(
        mut self,
        id: impl Into<Parameter>,
        within: Option<&str>,
        condition: &str,
        returned: &'static str,
    ) -> Statement {
        let (id, within) = (self.bind(id), self.bind(within));
        let Self { text, parameters } = self;
        let sql = format!(
            "{text} WHERE id = {id} AND ({within} IS NULL OR scope = {within}){condition} \
             RETURNING {returned}"
        );
        Statement { sql: sql.into(), parameters }
    }

    /// The condition that the request was not carried out before; empty without an idempotency key.
    pub(crate) fn unless_done(&mut self, write: &Write) -> String {
        let Some(once) = &write.once else { return String::new() };
        let [scope, route, key] = [&once.scope, &once.route, &once.key].map(|text| self.bind(text));
        format!(unless_done!("{}", "{}", "{}"), scope, route, key)
    }

    fn bind(&mut self, value: impl Into<Parameter>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
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
