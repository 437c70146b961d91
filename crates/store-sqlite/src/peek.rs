//! Opens a file read-only to check it before the engine opens it.

use std::{path::Path, sync::Mutex};

use futures_util::future::{BoxFuture, ready};
use octopoid_store::{
    Engine, EngineError,
    engine::{Statement, TEXT_MAX},
};
use rusqlite::{Connection, OpenFlags};

use crate::{Answer, BUSY_TIMEOUT, OpenError, batch::run, failed};

/// A file opened read-only. It may belong to any program, and others may have it open.
pub struct Peek(Mutex<Connection>);

impl Peek {
    /// Opens a file that exists.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags);
        let connection = connection.map_err(|error| failed(path, &error))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(path, &error))?;
        Ok(Self(Mutex::new(connection)))
    }
}

impl Engine for Peek {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        let connection = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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
    use octopoid_store::{Store, StoreError};
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
}
