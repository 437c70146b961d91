//! Reads a dump of the first server's database (the text that `wrangler d1 export` writes), and
//! makes rows of this server's schema of it.
//!
//! Ids, draft numbers, order, versions and key hashes stay as they are. Instants become numbers.
//! What this server keeps beside them (who waits for whom, how many tasks are finished, how many
//! events a task has, in which queue a claim was made) is worked out anew. A row that cannot be
//! taken is left out and noted; the rest goes on.

mod dump;
mod history;
mod nouns;
mod old;
mod tasks;

use std::fmt;

use octopoid_store::{copy::Table, engine::Row};
use thiserror::Error;

use crate::dump::Dump;

/// Everything that was made of a dump.
#[derive(Debug)]
pub struct Import {
    /// The rows of each table.
    pub tables: Vec<Taken>,
    /// The highest number that each counted table has ever given away, where the dump tells.
    pub counters: Vec<(&'static str, i64)>,
    /// What was left out or changed.
    pub notes: Vec<Note>,
}

/// What was made of a table.
#[derive(Debug)]
pub struct Taken {
    /// Where it goes.
    pub table: &'static Table,
    /// The rows, each with the table's columns in their order.
    pub rows: Vec<Row>,
    /// How many rows the dump's table of this name has; none if this server makes the rows itself.
    pub of: Option<usize>,
}

/// Something that is not as it was in the dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The table in the dump.
    pub table: String,
    /// The row's key; empty if it is about the whole table.
    pub key: String,
    /// What was left out or changed, and why.
    pub what: String,
}

/// Why nothing at all was made of a dump.
#[derive(Debug, Error)]
pub enum ImportError {
    /// SQLite cannot load it.
    #[error("the dump cannot be loaded: {0}")]
    Load(#[from] rusqlite::Error),
    /// It is some other database.
    #[error("this is no dump of the first server's database: it has no table {0}")]
    Foreign(&'static str),
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.table)?;
        if !self.key.is_empty() {
            write!(formatter, " {}", self.key)?;
        }
        write!(formatter, ": {}", self.what)
    }
}

/// Reads a dump.
pub fn read(dump: &str) -> Result<Import, ImportError> {
    let dump = Dump::load(dump)?;
    let mut notes = dump.unknown_tables()?;
    let mut tables = nouns::take(&dump, &mut notes)?;
    tables.extend(tasks::take(&dump, &mut notes)?);
    Ok(Import { tables, counters: dump.counters()?, notes })
}
