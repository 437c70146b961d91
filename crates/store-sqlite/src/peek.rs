//! A look at a file before it is opened, which changes nothing in it.

use std::{path::Path, sync::Mutex};

use futures_util::future::{BoxFuture, ready};
use octopoid_store::{
    Engine, EngineError,
    engine::{Statement, TEXT_MAX},
};
use rusqlite::{Connection, OpenFlags};

use crate::{Answer, BUSY_TIMEOUT, OpenError, batch::run, failed};

/// A file that is opened for reading alone. It may be any program's, and others may have it open.
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
        let why = "the file was opened for reading alone".to_owned();
        Box::pin(ready(Err(EngineError::Unavailable(why))))
    }
}
