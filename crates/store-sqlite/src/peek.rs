//! Opens a file read-only to check it before the engine opens it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, ready};
use octopoid_store::{
    Engine, EngineError,
    engine::{Statement, TEXT_MAX},
};
use rusqlite::{Connection, OpenFlags};

use crate::{Answer, BUSY_TIMEOUT, OpenError, batch::run, failed, files::beside};

/// A file opened read-only. It may belong to any program, and others may have it open.
pub struct Peek(Mutex<Connection>);

impl Peek {
    /// Opens a file that exists.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_as(path, path.as_os_str(), OpenFlags::empty())
    }

    /// Opens a file that exists, and creates no file beside it. SQLite would create a WAL and its
    /// index beside a database in WAL mode that no program has open. Such a database is read as one
    /// that does not change: what is read while a server starts may be inconsistent.
    pub fn open_unchanged(path: &Path) -> Result<Self, OpenError> {
        let real = path.canonicalize().map_err(|error| failed(path, &error))?;
        if beside(&real, "-wal").exists() {
            return Self::open(path);
        }
        Self::open_as(path, &immutable(&real), OpenFlags::SQLITE_OPEN_URI)
    }

    fn open_as(path: &Path, name: &OsStr, more: OpenFlags) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let connection = Connection::open_with_flags(name, flags);
        let connection = connection.map_err(|error| failed(path, &error))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(path, &error))?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Reads the whole file, and returns what is damaged, a line each; `ok` if nothing is.
    pub fn quick_check(&self) -> Result<Vec<String>, String> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = connection.prepare("PRAGMA quick_check").and_then(|mut statement| {
            statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()
        });
        lines.map_err(|error| error.to_string())
    }
}

/// The URI of a file that SQLite is told does not change.
fn immutable(path: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02X}").into_bytes()),
            _ => uri.push(*byte),
        }
    }
    uri.extend(b"?immutable=1");
    OsString::from_vec(uri)
}

impl Engine for Peek {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(run(&connection, &batch, TEXT_MAX).map_err(EngineError::from)))
    }

    fn write(&self, _: Vec<Statement>) -> BoxFuture<'_, Answer> {
        let why = "the file was opened read-only".to_owned();
        Box::pin(ready(Err(EngineError::Unavailable(why))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use octopoid_domain::Millis;
    use octopoid_store::{Inspected, Store, StoreError};
    use rusqlite::Connection;

    use super::Peek;
    use crate::{Location, Sqlite};

    #[tokio::test]
    async fn another_programs_file_is_told_from_ours_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let peek = || Store::new(Arc::new(Peek::open(&path).unwrap()));
        assert!(Peek::open(&path).is_err() && !path.exists());
        for (sql, is_ours) in [
            ("", true),
            ("CREATE TABLE songs (title)", false),
            ("CREATE TABLE schema_versions (version)", false),
        ] {
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, "").unwrap();
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            let before = std::fs::read(&path).unwrap();
            let answer = peek().check_ours().await;
            let is_foreign = matches!(answer, Err(StoreError::Foreign { .. }));
            assert_eq!((answer.is_ok(), is_foreign), (is_ours, !is_ours), "{sql}: {answer:?}");
            assert_eq!(std::fs::read(&path).unwrap(), before, "{sql}");
        }
        std::fs::remove_file(&path).unwrap();
        let ours = Store::new(Arc::new(Sqlite::open(&Location::File(path.clone())).unwrap()));
        ours.migrate(Millis(0)).await.unwrap();
        peek().check_ours().await.unwrap();
        assert!(peek().migrate(Millis(1)).await.is_err(), "it writes");
    }

    #[tokio::test]
    async fn a_look_at_a_closed_database_leaves_no_file_and_at_an_open_one_sees_its_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a?b#c%20d.db");
        let files = || {
            let files = std::fs::read_dir(directory.path()).unwrap();
            let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let inspect = async || {
            let peek = Peek::open_unchanged(&path).unwrap();
            assert_eq!(peek.quick_check().unwrap(), ["ok"]);
            Store::new(Arc::new(peek)).inspect().await.unwrap()
        };
        assert!(Peek::open_unchanged(&path).is_err() && !path.exists());
        let ours = Store::new(Arc::new(Sqlite::open(&Location::File(path.clone())).unwrap()));
        assert_eq!(inspect().await.schema, 0);
        let (_, newest) = ours.migrate(Millis(0)).await.unwrap();
        let expected = Inspected { schema: newest, newest, server_version: None };
        assert_eq!(inspect().await, expected);
        drop(ours);
        let before = files();
        assert_eq!(inspect().await, expected);
        assert_eq!(files(), before);
        assert!(!before.iter().any(|name| name.to_string_lossy().ends_with("-wal")), "{before:?}");
    }
}
