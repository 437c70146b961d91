//! The tables of the schema with their columns, and the texts that read and write whole rows.

use std::{fmt::Write, sync::LazyLock};

use super::CopyError;
use crate::{
    Sql,
    engine::{Bind, Parameter, Row, Statement, Value},
};

/// The most parameters that a statement has anywhere.
const PARAMETERS_MAX: usize = 100;

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

/// A table of the schema.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns. The first of them are its key.
    pub columns: &'static [Column],
    key: usize,
    first_page: String,
    next_page: String,
    count: String,
    is_used: String,
    insert: String,
    /// Inserts as many rows as the parameters of a statement allow.
    insert_many: String,
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

/// Each table with the number of columns in its key, and its columns.
const COLUMNS: [(&str, usize, &[Column]); 12] = [
    ("projects", 1, PROJECTS),
    ("drafts", 1, DRAFTS),
    ("tasks", 1, TASKS),
    ("task_blockers", 3, &[text("scope"), text("blocker_id"), text("task_id"), int("position")]),
    ("finished_counts", 3, &[text("scope"), text("queue"), int("shard"), int("tasks")]),
    ("task_history", 2, HISTORY),
    ("orchestrators", 1, ORCHESTRATORS),
    ("messages", 1, MESSAGES),
    ("actions", 1, ACTIONS),
    ("flows", 2, FLOWS),
    ("roles", 2, ROLES),
    ("api_keys", 1, KEYS),
];

const PROJECTS: &[Column] = &[
    int("seq"),
    text("id"),
    text("title"),
    text("description"),
    text("status"),
    text("branch"),
    text("base_branch"),
    int("auto_accept"),
    int("created_at"),
    text("created_by"),
    int("completed_at"),
    text("scope"),
    text("pr_url"),
    int("pr_number"),
    text("flow"),
    int("write_id"),
];

const DRAFTS: &[Column] = &[
    int("id"),
    text("title"),
    text("status"),
    text("author"),
    text("domain"),
    text("file_path"),
    int("created_at"),
    int("updated_at"),
    text("linked_task_id"),
    text("linked_project_id"),
    text("tags"),
    text("scope"),
];

const TASKS: &[Column] = &[
    int("seq"),
    text("id"),
    text("file_path"),
    text("queue"),
    text("priority"),
    text("complexity"),
    text("role"),
    text("branch"),
    text("blocked_by"),
    text("claimed_by"),
    int("claimed_at"),
    int("commits_count"),
    int("turns_used"),
    int("attempt_count"),
    int("has_plan"),
    text("plan_id"),
    text("project_id"),
    int("auto_accept"),
    int("rejection_count"),
    int("pr_number"),
    text("pr_url"),
    text("checks"),
    text("check_results"),
    int("needs_rebase"),
    text("last_rebase_attempt_at"),
    text("staging_url"),
    int("submitted_at"),
    int("completed_at"),
    int("created_at"),
    int("updated_at"),
    text("orchestrator_id"),
    int("lease_expires_at"),
    int("version"),
    int("needs_breakdown"),
    int("review_round"),
    text("execution_notes"),
    text("title"),
    text("type"),
    text("hooks"),
    text("flow"),
    text("flow_overrides"),
    text("scope"),
    int("needs_intervention"),
    text("claimed_in"),
    int("write_id"),
    int("events"),
    int("is_awaited"),
    text("content"),
];

const HISTORY: &[Column] = &[
    text("task_id"),
    int("seq"),
    text("scope"),
    text("event"),
    text("agent"),
    text("details"),
    int("at"),
    int("version"),
];

const ORCHESTRATORS: &[Column] = &[
    text("id"),
    text("cluster"),
    text("machine_id"),
    text("hostname"),
    text("repo_url"),
    int("registered_at"),
    int("last_heartbeat"),
    text("status"),
    text("version"),
    text("capabilities"),
    text("scope"),
];

const MESSAGES: &[Column] = &[
    int("seq"),
    text("id"),
    text("task_id"),
    text("from_actor"),
    text("to_actor"),
    text("type"),
    text("content"),
    int("created_at"),
    text("scope"),
    text("parent_message_id"),
];

const ACTIONS: &[Column] = &[
    int("seq"),
    text("id"),
    text("entity_type"),
    text("entity_id"),
    text("action_type"),
    text("label"),
    text("description"),
    text("status"),
    text("proposed_by"),
    int("proposed_at"),
    int("executed_at"),
    text("result"),
    text("expires_at"),
    int("expires_at_ms"),
    text("metadata"),
    text("action_data"),
    text("scope"),
];

const FLOWS: &[Column] = &[
    text("scope"),
    text("name"),
    text("states"),
    text("transitions"),
    int("registered_at"),
    int("updated_at"),
    text("description"),
    text("child_flow"),
];

const ROLES: &[Column] = &[
    text("name"),
    text("scope"),
    text("description"),
    text("claims_from"),
    text("orchestrator_id"),
    int("created_at"),
];

const KEYS: &[Column] = &[
    text("key_hash"),
    text("id"),
    text("scope"),
    text("label"),
    int("created_at"),
    int("last_used_at"),
    int("expires_at"),
    int("revoked_at"),
];

/// The texts are made of these constants once, and are as constant as they are.
static TABLES: LazyLock<Vec<Table>> =
    LazyLock::new(|| COLUMNS.map(|(name, key, columns)| Table::new(name, key, columns)).into());

/// All tables of the schema, but the one that tells its version, and the one that tells when its
/// servers were available: the server that opens the copy was not, until then.
pub fn tables() -> &'static [Table] {
    &TABLES
}

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.name == name)
}

impl Table {
    fn new(name: &'static str, key: usize, columns: &'static [Column]) -> Self {
        let named = |columns: &[Column]| {
            let names: Vec<_> = columns.iter().map(|column| column.name).collect();
            names.join(", ")
        };
        let (all, keys) = (named(columns), named(&columns[..key]));
        let page = |condition: &str, limit: usize| {
            format!("SELECT {all} FROM {name}{condition} ORDER BY {keys} LIMIT ?{limit}")
        };
        let insert = |rows: usize| {
            let rows: Vec<_> =
                (0..rows).map(|row| parameters_from(row * columns.len(), columns.len())).collect();
            format!("INSERT INTO {name} ({all}) VALUES {}", rows.join(", "))
        };
        let after = format!(" WHERE ({keys}) > {}", parameters_from(0, key));
        Self {
            name,
            columns,
            key,
            first_page: page("", 1),
            next_page: page(&after, key + 1),
            count: format!("SELECT COUNT(*) FROM {name}"),
            is_used: format!("SELECT EXISTS (SELECT 1 FROM {name})"),
            insert: insert(1),
            insert_many: insert(rows_max(columns)),
        }
    }

    /// The first rows in the order of the key, after the row with this one.
    pub(super) fn page(&'static self, after: Option<&[Parameter]>, limit: i64) -> Statement {
        let text = if after.is_some() { &self.next_page } else { &self.first_page };
        let mut parameters = after.map(<[_]>::to_vec).unwrap_or_default();
        parameters.push(limit.into());
        statement(text, parameters)
    }

    /// How many rows it has.
    pub(super) fn counting(&'static self) -> Statement {
        statement(&self.count, Vec::new())
    }

    /// Whether it has any row.
    pub(super) fn asking_for_any(&'static self) -> Statement {
        statement(&self.is_used, Vec::new())
    }

    /// The statements that insert these rows.
    pub(super) fn inserting(&'static self, rows: Vec<Row>) -> Result<Vec<Statement>, CopyError> {
        let most = rows_max(self.columns);
        let mut statements = Vec::with_capacity(rows.len() / most + most);
        let mut rows = rows.into_iter();
        while rows.len() >= most && most > 1 {
            let mut parameters = Vec::with_capacity(most * self.columns.len());
            for row in rows.by_ref().take(most) {
                self.bind(row, &mut parameters)?;
            }
            statements.push(statement(&self.insert_many, parameters));
        }
        for row in rows {
            let mut parameters = Vec::with_capacity(self.columns.len());
            self.bind(row, &mut parameters)?;
            statements.push(statement(&self.insert, parameters));
        }
        Ok(statements)
    }

    /// The key of a row.
    pub(super) fn key(&self, row: &[Value]) -> Result<Vec<Parameter>, CopyError> {
        let key = row.iter().zip(self.columns).take(self.key);
        key.map(|(value, column)| self.parameter(value.clone(), *column)).collect()
    }

    /// The columns of the key.
    pub fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    fn bind(&self, row: Row, parameters: &mut Vec<Parameter>) -> Result<(), CopyError> {
        if row.len() != self.columns.len() {
            return Err(CopyError::Odd { table: self.name, column: "all of them" });
        }
        for (value, column) in row.into_iter().zip(self.columns) {
            parameters.push(self.parameter(value, *column)?);
        }
        Ok(())
    }

    fn parameter(&self, value: Value, column: Column) -> Result<Parameter, CopyError> {
        match (value, column.kind) {
            (Value::Int(number), Kind::Int) => Ok(number.into()),
            (Value::Text(text), Kind::Text) => Ok(text.into()),
            (Value::Null, Kind::Int) => Ok(i64::bind(None)),
            (Value::Null, Kind::Text) => Ok(String::bind(None)),
            (Value::Int(_), Kind::Text) | (Value::Text(_), Kind::Int) => {
                Err(CopyError::Odd { table: self.name, column: column.name })
            }
        }
    }
}

fn rows_max(columns: &[Column]) -> usize {
    PARAMETERS_MAX / columns.len()
}

/// `(?4, ?5, ?6)`, from the one after `before`.
fn parameters_from(before: usize, count: usize) -> String {
    let mut text = String::from("(");
    for number in before + 1..=before + count {
        let separator = if number == before + 1 { "" } else { ", " };
        let _ = write!(text, "{separator}?{number}");
    }
    text.push(')');
    text
}

fn statement(text: &'static str, parameters: Vec<Parameter>) -> Statement {
    Statement { sql: Sql::from(text), parameters }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_tables_texts_name_its_columns_and_go_by_its_key() {
        let roles = table("roles").unwrap();
        let columns = "name, scope, description, claims_from, orchestrator_id, created_at";
        assert_eq!(
            roles.next_page,
            format!(
                "SELECT {columns} FROM roles WHERE (name, scope) > (?1, ?2) \
                 ORDER BY name, scope LIMIT ?3"
            )
        );
        assert_eq!(
            roles.insert,
            format!("INSERT INTO roles ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        );
        assert!(roles.insert_many.ends_with("(?91, ?92, ?93, ?94, ?95, ?96)"));
        assert!(table("schema_versions").is_none());
    }
}
