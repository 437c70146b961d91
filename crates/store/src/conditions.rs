//! The conditions of a list, put together from constant texts.

use crate::{
    engine::{Parameter, Statement},
    lists::Page,
};

/// Conditions that a row must meet, and their parameters.
#[derive(Default)]
pub(crate) struct Conditions {
    sql: String,
    parameters: Vec<Parameter>,
}

impl Conditions {
    /// Adds a condition; `?#` in it stands for the value.
    pub(crate) fn and(&mut self, condition: &'static str, value: impl Into<Parameter>) {
        let parameter = self.bind(value);
        self.join(&condition.replace("?#", &parameter));
    }

    /// Adds a condition if there is a value for it.
    pub(crate) fn and_if(&mut self, condition: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }

    /// Adds a condition without a value.
    pub(crate) fn and_always(&mut self, condition: &'static str) {
        self.join(condition);
    }

    /// Counts the rows that meet the conditions.
    pub(crate) fn count(&self, table: &'static str) -> Statement {
        Statement {
            sql: format!("SELECT COUNT(*) FROM {table}{}", self.sql).into(),
            parameters: self.parameters.clone(),
        }
    }

    /// The rows of a page; `select` names columns and table.
    pub(crate) fn page(
        mut self,
        select: &'static str,
        order: &'static str,
        page: Page,
    ) -> Statement {
        let (limit, offset) = (self.bind(page.limit), self.bind(page.offset));
        let sql = format!("{select}{} ORDER BY {order} LIMIT {limit} OFFSET {offset}", self.sql);
        Statement { sql: sql.into(), parameters: self.parameters }
    }

    fn join(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    fn bind(&mut self, value: impl Into<Parameter>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }
}

/// A list of texts as one parameter, for `IN (SELECT value FROM json_each(?#))`.
pub(crate) fn json(values: &[String]) -> Parameter {
    serde_json::Value::from(values).to_string().into()
}

/// The same where an empty list is no filter, for `?# IS NULL OR … IN (…)`.
pub(crate) fn json_unless_empty(values: &[String]) -> Parameter {
    if values.is_empty() { Parameter::Text(None) } else { json(values) }
}
