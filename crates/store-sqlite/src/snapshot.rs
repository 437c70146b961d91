//! Copies a database file, as it is at one moment, while others read and write it.
//!
//! The copy is made with SQLite's backup API within one read transaction. It therefore never starts
//! again because of a write, and copies pages as they are, which takes less time than `VACUUM INTO`.
//! That matters because the WAL cannot be reset while the transaction is open.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use thiserror::Error;

use crate::{BUSY_TIMEOUT, OpenError, files};

/// The pages that are copied between two looks at whether to stop.
const PAGES: i32 = 1024;
/// The number of steps of SQLite's virtual machine between two looks at whether to stop.
const STEPS: i32 = 100_000;
/// The maximum number of defects that a check lists.
const DEFECTS_MAX: i32 = 5;

/// The copies that this process is making of any database.
static COPIES: AtomicUsize = AtomicUsize::new(0);

/// Why a file was not copied, or is not what it should be.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The database cannot be copied.
    #[error("cannot copy {from} to {to}: {why}")]
    Copy {
        /// Its file.
        from: PathBuf,
        /// The file of the copy.
        to: PathBuf,
        /// The reason.
        why: rusqlite::Error,
    },
    /// The database cannot be read.
    #[error("cannot read {path}: {why}")]
    Unreadable {
        /// Its file.
        path: PathBuf,
        /// The reason.
        why: rusqlite::Error,
    },
    /// The file is not an intact database.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The caller has asked to stop.
    #[error("it was stopped")]
    Stopped,
}

/// Tells a copy or a check to stop. Its clones are one.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Stops what works with this flag.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails if it was stopped.
    pub fn check(&self) -> Result<(), SnapshotError> {
        if self.is_set() { Err(SnapshotError::Stopped) } else { Ok(()) }
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts a copy while it is being made.
pub(crate) struct Counted;

impl Counted {
    pub(crate) fn new() -> Self {
        COPIES.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COPIES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether this process is making a copy, whose snapshot keeps the WAL from being reset.
pub(crate) fn is_running() -> bool {
    COPIES.load(Ordering::Relaxed) > 0
}

/// Copies the committed state of the database at this moment into `target`, an empty file.
///
/// Other processes may have the database open; its data is only read. The copy is one file that
/// needs no WAL. It is not synced to disk. If it fails, the caller deletes the target.
pub fn copy(source: &Path, target: &Path, stop: &StopFlag) -> Result<(), SnapshotError> {
    let failed = |why| SnapshotError::Copy { from: source.to_owned(), to: target.to_owned(), why };
    let _counted = Counted::new();
    let from = begin_reading(source).map_err(failed)?;
    let mut to = open_target(target).map_err(failed)?;
    {
        let backup = Backup::new(&from, &mut to).map_err(failed)?;
        loop {
            stop.check()?;
            match backup.step(PAGES).map_err(failed)? {
                StepResult::Done => break,
                StepResult::More => {}
                // No one else has the target open, and the source is not waited for in a snapshot.
                _ => return Err(failed(busy())),
            }
        }
    }
    // The copy has the journal mode of its source, which would need more files.
    to.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    to.close().map_err(|(_, why)| failed(why))
}

/// Checks the structure and the indexes of a database that no one writes, such as a copy.
pub fn check(path: &Path, stop: &StopFlag) -> Result<(), SnapshotError> {
    let unreadable = |why: rusqlite::Error| match why.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => SnapshotError::Stopped,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            SnapshotError::Damaged(why.to_string())
        }
        _ => SnapshotError::Unreadable { path: path.to_owned(), why },
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(unreadable)?;
    let flag = stop.clone();
    connection.progress_handler(STEPS, Some(move || flag.is_set())).map_err(unreadable)?;
    let sql = format!("PRAGMA integrity_check({DEFECTS_MAX})");
    let mut statement = connection.prepare(&sql).map_err(unreadable)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(unreadable)?;
    let lines = lines.collect::<rusqlite::Result<Vec<_>>>().map_err(unreadable)?;
    if lines == ["ok"] { Ok(()) } else { Err(SnapshotError::Damaged(lines.join("; "))) }
}

/// Prevents servers from opening the database at this path, which need not exist, until the file is
/// dropped.
pub fn lock(path: &Path) -> Result<File, OpenError> {
    let folder = files::folder_of(path).canonicalize();
    let folder = folder.map_err(|error| crate::failed(path, &error))?;
    let Some(name) = path.file_name() else {
        return Err(crate::failed(path, &std::io::Error::from(std::io::ErrorKind::InvalidInput)));
    };
    files::lock(path, &folder.join(name))
}

/// Opens the database and takes a snapshot of it.
pub(crate) fn begin_reading(source: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: such a connection leaves the files of the WAL behind if it is the last one.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(source, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.execute_batch("BEGIN")?;
    // The transaction begins with its first read.
    connection.pragma_query_value(None, "schema_version", |_| Ok(()))?;
    Ok(connection)
}

/// A connection that writes a file which is deleted if anything fails.
fn open_target(target: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(target, flags)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    Ok(connection)
}

fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}
