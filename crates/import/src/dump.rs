//! The dump, loaded into a database that is gone with it.

use std::collections::HashMap;

use rusqlite::{Connection, config::DbConfig, types::Value};

use crate::{ImportError, Note};

/// A row of the dump: its columns by name.
pub(crate) type Cells = HashMap<String, Value>;

/// The tables that something is made of.
const TAKEN: [&str; 10] = [
    "tasks",
    "projects",
    "drafts",
    "orchestrators",
    "messages",
    "actions",
    "flows",
    "roles",
    "task_history",
    "api_keys",
];

/// Tables that hold nothing of the server's users.
const BOOKKEEPING: [&str; 3] = ["d1_migrations", "schema_info", "_cf_KV"];

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' \
     AND name NOT LIKE 'sqlite_%' ORDER BY name";

/// How far the numbers of drafts had come.
const DRAFTS: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'drafts'";

pub(crate) struct Dump {
    connection: Connection,
    tables: Vec<String>,
}

impl Dump {
    pub(crate) fn load(text: &str) -> Result<Self, ImportError> {
        // The empty name is a file of SQLite's own, so that large dumps need not fit into memory
        // twice.
        let connection = Connection::open("")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        // The first server's SQLite took texts in double quotes.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, true)?;
        connection.execute_batch("BEGIN")?;
        connection.execute_batch(text)?;
        connection.execute_batch("COMMIT")?;
        let tables = {
            let mut names = connection.prepare(TABLES)?;
            names.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?
        };
        let dump = Self { connection, tables };
        if dump.has("tasks") { Ok(dump) } else { Err(ImportError::Foreign("tasks")) }
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|name| name == table)
    }

    /// All rows of a table, in an order that SQL can tell; none if there is no such table.
    pub(crate) fn rows(&self, table: &str, order: &str) -> Result<Vec<Cells>, ImportError> {
        if !self.has(table) {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT * FROM {table} ORDER BY {order}, rowid");
        let mut statement = self.connection.prepare(&sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let cells = |row: &rusqlite::Row<'_>| {
            let cell = |(at, name): (usize, &String)| Ok((name.clone(), row.get(at)?));
            names.iter().enumerate().map(cell).collect::<rusqlite::Result<Cells>>()
        };
        Ok(statement.query_map([], cells)?.collect::<Result<_, _>>()?)
    }

    /// Tables that this server has no place for, as far as they have rows.
    pub(crate) fn unknown_tables(&self) -> Result<Vec<Note>, ImportError> {
        let mut notes = Vec::new();
        for table in &self.tables {
            if TAKEN.contains(&&**table) || BOOKKEEPING.contains(&&**table) {
                continue;
            }
            let count = format!("SELECT COUNT(*) FROM \"{}\"", table.replace('"', "\"\""));
            let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
            if rows > 0 {
                let what = format!("left out: {rows} rows of a table that this server has not");
                notes.push(Note { table: table.clone(), key: String::new(), what });
            }
        }
        Ok(notes)
    }

    pub(crate) fn counters(&self) -> Result<Vec<(&'static str, i64)>, ImportError> {
        // Where nothing counts, SQLite has made no such table.
        let Ok(mut statement) = self.connection.prepare(DRAFTS) else { return Ok(Vec::new()) };
        let numbers = statement.query_map([], |row| row.get::<_, i64>(0))?;
        Ok(numbers.map(|number| Ok(("drafts", number?))).collect::<rusqlite::Result<_>>()?)
    }
}
