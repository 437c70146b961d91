//! Loads a dump statement by statement.

use std::io::BufRead;

use rusqlite::{Connection, config::DbConfig};

use crate::import::{
    ImportError,
    notes::{Change, short},
    sql::reason,
    statements::{ScannedStatement, Statements},
};

/// The kinds of statements in exports, including manually edited ones.
enum Kind {
    Run,
    /// It creates nothing that the import reads.
    Skip,
    /// It is at the end of every export.
    End,
    Unknown,
}

/// Properties of a loaded dump.
#[derive(Default)]
pub(crate) struct Loaded {
    /// Whether the last part of the dump was found.
    pub(crate) has_end: bool,
    /// The number of statements with texts whose line breaks the export has escaped.
    replaced: usize,
}

/// Runs all statements of a dump.
pub(crate) fn load(
    connection: &Connection,
    dump: impl BufRead,
    progress: &mut dyn FnMut(u64),
) -> Result<Loaded, ImportError> {
    // The first server's SQLite accepted string literals in double quotes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, true)?;
    connection.execute_batch("BEGIN")?;
    let mut statements = Statements::new(dump);
    let mut loaded = Loaded::default();
    loop {
        let line = |why: String| ImportError::Load { line: 1, why };
        let next = statements.next().map_err(|error| line(format!("cannot read: {error}")))?;
        let Some(statement) = next else { break };
        run(connection, &statement, &mut loaded)?;
        progress(statements.bytes);
    }
    progress(statements.bytes);
    connection.execute_batch("COMMIT")?;
    Ok(loaded)
}

fn run(
    connection: &Connection,
    statement: &ScannedStatement,
    loaded: &mut Loaded,
) -> Result<(), ImportError> {
    let ScannedStatement { text, line, is_whole } = statement;
    if !is_whole {
        return Err(ImportError::CutOff { line: *line });
    }
    let fails = |why: &str| ImportError::Load { line: *line, why: short(why) };
    let text = std::str::from_utf8(text).map_err(|_| fails("invalid UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    match kind(text) {
        Kind::Skip => {}
        Kind::End => loaded.has_end = true,
        Kind::Unknown => {
            return Err(fails(&format!("unexpected statement in an export: {}", text.trim())));
        }
        Kind::Run => {
            let is_replaced = |mark: &str| text.contains(mark);
            if is_replaced("'\\n',char(10))") || is_replaced("'\\r',char(13))") {
                loaded.replaced += 1;
            }
            connection.execute_batch(text).map_err(|error| fails(&reason(&error)))?;
        }
    }
    Ok(())
}

/// The kind of a statement, determined by its first words. An export neither attaches files nor
/// changes relevant settings.
fn kind(text: &str) -> Kind {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start();
    }
    let mut words = rest.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_ascii_uppercase();
    let second = words.next().unwrap_or_default().to_ascii_uppercase();
    match (&*first, &*second) {
        ("CREATE", "TABLE") | ("INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "ALTER", _) => {
            Kind::Run
        }
        ("CREATE", "INDEX" | "UNIQUE") | ("COMMIT", _) => Kind::End,
        ("CREATE", "TRIGGER" | "VIEW") | ("PRAGMA" | "BEGIN" | "ANALYZE", _) => Kind::Skip,
        _ => Kind::Unknown,
    }
}

impl Loaded {
    /// Texts that the export may have changed.
    pub(crate) fn doubts(&self) -> Vec<(&'static str, Change)> {
        let what = format!(
            "{} rows have texts with line breaks, and those that also have a backslash before an n \
             or r were changed by the export: see docs/migrating.md for how to find them",
            self.replaced
        );
        if self.replaced == 0 { Vec::new() } else { vec![("dump", Change::plain(what))] }
    }
}
