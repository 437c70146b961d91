//! Reads the database of the first server, and makes rows of this server's schema of it.
//!
//! It comes as the text that `wrangler d1 export` writes, as the JSON of `wrangler d1 execute`, or
//! as an SQLite file. Ids, draft numbers, order, versions and key hashes stay as they are. Instants
//! become numbers. What this server keeps beside them (who waits for whom, how many tasks are
//! finished, how many events a task has, in which queue a claim was made) is worked out from the
//! rows. A row that cannot be taken is left out, and every row that is left out or changed is noted.
//!
//! Rows are read one at a time and handed on at once, so that memory does not grow with the texts.

mod command;
mod history;
mod json;
mod load;
mod notes;
mod nouns;
mod row;
mod schema;
mod scopes;
mod source;
mod sql;
mod statements;
mod tasks;
#[cfg(test)]
mod tests;

use std::{error::Error, path::PathBuf};

use octopoid_store::{copy::Table, engine::Row};
use thiserror::Error;

pub(crate) use self::command::{Args, run};
use self::{
    notes::Notes,
    scopes::{RowScope, Scopes},
    source::Source,
};

/// Where a row goes: its table, how many rows that has in the source, and the row with the table's
/// columns in their order. An error ends the reading.
pub(crate) type Sink<'a> = dyn FnMut(&'static Table, usize, Row) -> Result<(), SinkError> + 'a;

/// Why the receiver of the rows takes no more of them.
pub(crate) type SinkError = Box<dyn Error + Send + Sync>;

/// How much of a database was imported.
#[derive(Debug)]
pub(crate) struct Summary {
    /// How much of each table was imported.
    pub(crate) tables: Vec<ImportedTable>,
    /// The highest number that each counted table has ever given away, where the source tells.
    pub(crate) counters: Vec<(&'static str, i64)>,
}

/// How much of a table was imported.
#[derive(Debug)]
pub(crate) struct ImportedTable {
    /// Where it went.
    pub(crate) table: &'static Table,
    /// How many rows were handed on.
    pub(crate) rows: usize,
    /// How many rows the source's table has; none if this server makes the rows itself.
    pub(crate) source_rows: Option<usize>,
}

/// Why nothing, or not everything, was made of a database.
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
        "the dump cannot be loaded: it ends inside the statement that begins in line {line}, so it \
         was cut off: export again"
    )]
    CutOff {
        /// Where the statement begins.
        line: u64,
    },
    /// A file of JSON is not what `wrangler d1 execute --json` prints.
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
    /// It is some other database.
    #[error("this is no database of the first server: it has no table {0}")]
    Foreign(&'static str),
    /// It is a database of this server.
    #[error("this is a database of this server, not of the first: use `octopoid-server copy`")]
    Ours,
    /// Its rows have no scope yet.
    #[error(
        "the schema is older than the first server's migration 0009_add_scope, before which no row \
         had a scope: apply the first server's migrations to its database, give the rows a scope, \
         and export again"
    )]
    Unscoped,
    /// Tables are missing.
    #[error(
        "the export is not complete: the schema is that of migration {level:04} or later, but \
         {missing}: export again, or say --partial to take what there is"
    )]
    Incomplete {
        /// The migration that the tables tell of.
        level: i64,
        /// What is missing.
        missing: String,
    },
    /// Two rows have one key.
    #[error("the table {table} has several rows for {key}: the export has overlapping parts")]
    Duplicate {
        /// The table.
        table: &'static str,
        /// The key.
        key: String,
    },
    /// SQLite cannot read it.
    #[error("the database cannot be read: {0}")]
    Sqlite(String),
    /// The receiver of the rows takes no more.
    #[error(transparent)]
    Sink(SinkError),
    /// The notes cannot be written.
    #[error("cannot write the report: {0}")]
    Report(std::io::Error),
}

impl From<rusqlite::Error> for ImportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(notes::short(&sql::reason(&error)))
    }
}

/// Hands on everything that can be made of a database, and notes what is not as it was.
pub(crate) fn convert(
    source: &Source,
    scopes: &Scopes,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<Summary, ImportError> {
    source.note_what_is_left(notes)?;
    let mut tables = nouns::convert(source, scopes, notes, sink)?;
    tables.extend(tasks::convert(source, scopes, notes, sink)?);
    scopes.note_unused(notes);
    let counters = source.counters()?;
    notes.finish().map_err(ImportError::Report)?;
    Ok(Summary { tables, counters })
}
