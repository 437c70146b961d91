//! Reads the database of the first server and converts it to rows of this server's schema.
//!
//! The source is the SQL of `wrangler d1 export`, the JSON of `wrangler d1 execute`, or an SQLite
//! file. Ids, draft numbers, order, versions and key hashes are kept. Timestamps are converted to
//! milliseconds. Derived data (blockers, counts of finished tasks, the number of events of a task,
//! the queue of a claim) is computed from the rows. An invalid row is skipped. Every row that is
//! skipped or changed is reported.
//!
//! Rows are read one at a time and passed on immediately, so memory does not grow with the texts.
//!
//! `ndjson` reads exports of this server, whose rows need no conversion.

mod command;
mod history;
pub(crate) mod json;
mod load;
mod ndjson;
mod notes;
mod nouns;
mod queues;
mod row;
mod schema;
mod scopes;
mod source;
mod sql;
mod statements;
pub(crate) mod target;
mod tasks;
#[cfg(test)]
mod tests;

use std::{error::Error, path::PathBuf};

use octopoid_store::{copy::Table, engine::Row};
use thiserror::Error;

pub use self::command::Args;
pub(crate) use self::command::run;
use self::{
    notes::Notes,
    scopes::{RowScope, Scopes},
    source::Source,
};

/// Receives a row: its table, the number of rows of that table in the source, and the row with the
/// columns in table order. An error stops the import.
pub(crate) type Sink<'a> = dyn FnMut(&'static Table, usize, Row) -> Result<(), SinkError> + 'a;

/// An error of the receiver of the rows.
pub(crate) type SinkError = Box<dyn Error + Send + Sync>;

/// The result of an import.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The tables.
    pub(crate) tables: Vec<ImportedTable>,
    /// The highest number ever used in each table with a counter, if the source has it.
    pub(crate) counters: Vec<(&'static str, i64)>,
}

/// How much of a table was imported.
#[derive(Debug)]
pub(crate) struct ImportedTable {
    /// The target table.
    pub(crate) table: &'static Table,
    /// The number of imported rows.
    pub(crate) rows: usize,
    /// The number of rows in the source table; `None` for derived tables.
    pub(crate) source_rows: Option<usize>,
}

/// Why an import failed.
#[derive(Debug, Error)]
pub(crate) enum ImportError {
    /// A statement of the dump fails.
    #[error("the dump cannot be loaded: line {line}: {why}")]
    Load {
        /// Where the statement begins.
        line: u64,
        /// Why it fails.
        why: String,
    },
    /// The dump ends inside a statement.
    #[error(
        "the dump cannot be loaded: it ends inside the statement that starts at line {line}: the \
         dump is truncated, export again"
    )]
    CutOff {
        /// Where the statement begins.
        line: u64,
    },
    /// A JSON file does not have the format of `wrangler d1 execute --json`.
    #[error("{}: {why}", .file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file or directory cannot be read.
    #[error("cannot read {}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The source is the database of another program.
    #[error("this is not a database of the first server: table {0} is missing")]
    Foreign(&'static str),
    /// The source is a database of this server.
    #[error("this is a database of this server, not of the first: use `octopoid-server copy`")]
    Ours,
    /// The source is an export of this server.
    #[error("this is an export of this server: import it with `--format ndjson FILE`")]
    Export,
    /// The schema has no scopes yet.
    #[error(
        "the schema is older than the first server's migration 0009_add_scope, which added scopes: \
         apply the first server's migrations to its database, give the rows a scope, \
         and export again"
    )]
    Unscoped,
    /// Tables are missing.
    #[error(
        "the export is incomplete: the schema is that of migration {level:04} or later, but \
         {missing}: export again, or use --partial to import it anyway"
    )]
    Incomplete {
        /// The schema version, derived from the tables.
        level: i64,
        /// What is missing.
        missing: String,
    },
    /// Two rows have the same key.
    #[error("the table {table} has several rows for {key}: the export has overlapping parts")]
    Duplicate {
        /// The table.
        table: &'static str,
        /// The key.
        key: String,
    },
    /// SQLite cannot read the source.
    #[error("the database cannot be read: {0}")]
    Sqlite(String),
    /// The receiver of the rows has failed.
    #[error(transparent)]
    Sink(SinkError),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Report(std::io::Error),
}

impl From<rusqlite::Error> for ImportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(notes::short(&sql::reason(&error)))
    }
}

/// Converts a database, and reports every change.
pub(crate) fn convert(
    source: &Source,
    scopes: &Scopes,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<Summary, ImportError> {
    source.note_unsupported(notes)?;
    let mut tables = nouns::convert(source, scopes, notes, sink)?;
    tables.extend(tasks::convert(source, scopes, notes, sink)?);
    scopes.note_unused(notes);
    let counters = source.counters()?;
    notes.finish().map_err(ImportError::Report)?;
    Ok(Summary { tables, counters })
}
