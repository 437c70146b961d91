//! The tables of the schema with their columns, and the texts that read and write whole rows.

use std::{fmt::Write, sync::LazyLock};

use super::CopyError;
use crate::{
    Sql, actions,
    columns::{Column, Kind},
    counts, dependencies, drafts,
    engine::{PARAMETERS_MAX, Parameter, Row, Statement, Value},
    flows, journal, keys, messages, orchestrators, pauses, projects,
    record::Layout,
    roles, runs, tasks,
};

/// A table of the schema.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns. The first of them are its key.
    pub columns: Vec<Column>,
    key: usize,
    first_page: String,
    next_page: String,
    count: String,
    is_used: String,
    insert: String,
    /// Inserts as many rows as the parameters of a statement allow.
    insert_many: String,
}

/// All tables, in the order in which they are copied.
const LAYOUTS: [Layout; 18] = [
    projects::TABLE,
    drafts::TABLE,
    tasks::TABLE,
    dependencies::TABLE,
    runs::TABLE,
    runs::OUTPUTS,
    runs::LOGS,
    counts::TABLE,
    counts::HOURLY,
    journal::TABLE,
    journal::START_TABLE,
    orchestrators::TABLE,
    messages::TABLE,
    actions::TABLE,
    flows::TABLE,
    roles::TABLE,
    keys::TABLE,
    pauses::TABLE,
];

/// The texts are made of these constants once, and are as constant as they are.
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| LAYOUTS.iter().map(Table::new).collect());

static ANALYZE: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<_> = LAYOUTS.iter().map(|layout| layout.name).collect();
    format!("ANALYZE {}", names.join(", "))
});

/// Updates the statistics of all tables. Until then PostgreSQL plans as if they were almost empty.
pub(super) fn analyzing() -> Statement {
    Statement { sql: Sql::OnlyPostgres(&ANALYZE), parameters: Vec::new() }
}

/// All tables of the schema, but the one that tells its version, the one that tells when its servers
/// were available (the server that opens the copy was not, until then), and the memory of
/// idempotency keys, which holds lease tokens.
pub fn tables() -> &'static [Table] {
    &TABLES
}

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.name == name)
}

impl Table {
    fn new(layout: &Layout) -> Self {
        let name = layout.name;
        let columns = layout.columns();
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let (all, key, keys) = (names.join(", "), layout.key.len(), layout.key.join(", "));
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
            first_page: page("", 1),
            next_page: page(&after, key + 1),
            count: format!("SELECT COUNT(*) FROM {name}"),
            is_used: format!("SELECT EXISTS (SELECT 1 FROM {name})"),
            insert: insert(1),
            insert_many: insert(rows_max(&columns)),
            key,
            columns,
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
        let most = rows_max(&self.columns);
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
        let key = row.iter().zip(&self.columns).take(self.key);
        key.map(|(value, column)| self.parameter(value.clone(), *column)).collect()
    }

    /// The columns of the key.
    pub fn key_columns(&self) -> &[Column] {
        &self.columns[..self.key]
    }

    fn bind(&self, row: Row, parameters: &mut Vec<Parameter>) -> Result<(), CopyError> {
        if row.len() != self.columns.len() {
            return Err(CopyError::Odd { table: self.name, column: "all of them" });
        }
        for (value, column) in row.into_iter().zip(&self.columns) {
            parameters.push(self.parameter(value, *column)?);
        }
        Ok(())
    }

    fn parameter(&self, value: Value, column: Column) -> Result<Parameter, CopyError> {
        match (value, column.kind) {
            (Value::Int(number), Kind::Int) => Ok(number.into()),
            (Value::Text(text), Kind::Text) => Ok(text.into()),
            (Value::Null, kind) => Ok(kind.null()),
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
        let columns =
            "name, scope, description, claims_from, orchestrator_id, created_at, write_id";
        assert_eq!(
            roles.next_page,
            format!(
                "SELECT {columns} FROM roles WHERE (name, scope) > (?1, ?2) \
                 ORDER BY name, scope LIMIT ?3"
            )
        );
        assert_eq!(
            roles.insert,
            format!("INSERT INTO roles ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        );
        assert!(roles.insert_many.ends_with("(?92, ?93, ?94, ?95, ?96, ?97, ?98)"));
        assert!(table("schema_versions").is_none());
    }
}
