//! The store's engine on embedded SQLite.
//!
//! One thread writes with group commit: batches that arrive during a commit share the next one and
//! its sync to disk. Other threads read, each on its own connection. An acknowledged write survives
//! a crash of the process and of the machine.

mod batch;
mod checkpoint;
#[cfg(test)]
mod checkpoint_tests;
mod files;
mod peek;
mod reader;
#[cfg(test)]
mod reader_tests;
mod readers;
pub mod snapshot;
mod writer;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, Statement},
};
use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{
    checkpoint::{Checkpointer, LONG},
    files::Files,
    reader::{Read, Reader, Stop, Times},
    readers::{Readers, Spare},
    writer::{Job, OnDisk, Write, Writer},
};

pub use crate::{
    files::{beside, folder_of},
    peek::Peek,
};

/// Page cache of the writing connection, in KiB.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// Page cache of each reading connection, in KiB.
const READER_CACHE_KIB: i64 = 4 * 1024;
/// More than the number of constant statements, so that none of them is prepared twice.
const STATEMENTS_MAX: usize = 512;

/// The maximum number of queries in one UNION, which is D1's limit.
const UNION_MAX: i32 = 5;

/// How long a statement waits while another program has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The location of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file, which is created if it does not exist.
    File(PathBuf),
    /// In memory, until the engine is dropped.
    Memory,
}

/// Why a database could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another server has it open. Two servers would not see each other's hints.
    #[error("{0} is in use by another server")]
    InUse(PathBuf),
    /// The database file or its lock file cannot be opened.
    #[error("cannot open {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

type Answer = Result<Vec<Rows>, EngineError>;

/// What the writer has committed since the database was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commits {
    /// The number of commits.
    pub commits: u64,
    /// The number of batches in them.
    pub batches: u64,
}

/// The sizes of the files of a database, in bytes; 0 for one in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSizes {
    /// The database file.
    pub database: u64,
    /// The write-ahead log.
    pub wal: u64,
}

/// An open SQLite database.
pub struct Sqlite {
    writer: Writer,
    /// `None` in memory, where only the writer's connection sees the data.
    others: Option<Others>,
    stop: Arc<Stop>,
}

/// The other connections of a database on disk.
struct Others {
    readers: Readers,
    /// One fewer than there are reading threads.
    spare: Spare,
    /// The database file.
    path: PathBuf,
    /// A thread reserved for health checks.
    health: Readers,
    /// Held while the database is open. The operating system releases it when the process ends.
    _lock: File,
}

impl Sqlite {
    /// Opens a database and starts its threads.
    pub fn open(location: &Location) -> Result<Self, OpenError> {
        Self::open_with(location, Times::default())
    }

    /// Opens a database with a different timeout for reads.
    pub fn open_with_limit(
        location: &Location,
        read_time_max: Duration,
    ) -> Result<Self, OpenError> {
        Self::open_with(location, Times { read: read_time_max, ..Times::default() })
    }

    /// What was committed.
    pub fn commits(&self) -> Commits {
        self.writer.commits()
    }

    /// How large the files are now.
    pub fn file_sizes(&self) -> FileSizes {
        let Some(Others { path, .. }) = &self.others else { return FileSizes::default() };
        let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
        FileSizes { database: size(path), wal: size(&files::beside(path, "-wal")) }
    }

    fn open_with(location: &Location, times: Times) -> Result<Self, OpenError> {
        let stop = Arc::default();
        match location {
            Location::Memory => {
                let path = Path::new(":memory:");
                let connection = connect(path, WRITER_CACHE_KIB)
                    .and_then(|connection| Reader::new(connection, &stop, times))
                    .map_err(|error| failed(path, &error))?;
                Ok(Self { writer: Writer::start(connection, None), others: None, stop })
            }
            Location::File(path) => Self::open_file(path, stop, times),
        }
    }

    fn open_file(path: &Path, stop: Arc<Stop>, times: Times) -> Result<Self, OpenError> {
        let real = files::resolve(path).map_err(|error| failed(path, &error))?;
        let lock = files::lock(path, &real)?;
        let wrong = |error: rusqlite::Error| failed(path, &error);
        let open = |cache| Reader::new(connect(&real, cache)?, &stop, times);
        let several = |count, cache| -> Result<Vec<_>, _> {
            (0..count).map(|_| open(cache).map_err(wrong)).collect()
        };
        let mut writer = open(WRITER_CACHE_KIB).map_err(wrong)?;
        let checkpoints = connect(&real, 0).map_err(wrong)?;
        let checkpointer =
            Checkpointer::start(checkpoints, writer.connection_mut(), &real).map_err(wrong)?;
        let files = Files::of(&real).map_err(|error| failed(path, &error))?;
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
        // One more, because no tenant may have all of them.
        let readers = Readers::start("sqlite-reader", several(cores + 1, READER_CACHE_KIB)?);
        let spare = Spare::new(several(cores, READER_CACHE_KIB)?);
        let health = Readers::start("sqlite-health", several(1, 0)?);
        let writer = Writer::start(writer, Some(OnDisk { checkpointer, files }));
        let others = Others { readers, spare, path: real, health, _lock: lock };
        Ok(Self { writer, others: Some(others), stop })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The threads are joined, and the results of their reads are not needed.
        self.stop.close();
    }
}

impl Engine for Sqlite {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        match &self.others {
            Some(others) => {
                Box::pin(ask(others.readers.jobs(), move |reply| Read::new(batch, reply)))
            }
            None => {
                Box::pin(ask(self.writer.jobs(), move |reply| Job::Read(Read::new(batch, reply))))
            }
        }
    }

    /// On the caller's thread if a connection is free: reading a few cached pages is faster than
    /// waking another thread.
    fn read_by_key(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        match self.others.as_ref().and_then(|others| others.spare.read_here(&batch)) {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => self.read(batch),
        }
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(ask(self.writer.jobs(), move |reply| Job::Write(Write::new(batch, reply))))
    }

    fn read_for_health(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        match &self.others {
            Some(others) => {
                Box::pin(ask(others.health.jobs(), move |reply| Read::new(batch, reply)))
            }
            None => self.read(batch),
        }
    }

    fn readers(&self) -> usize {
        self.others.as_ref().map_or(1, |others| others.readers.count())
    }

    /// The file is locked, or only this process sees the memory.
    fn is_exclusive(&self) -> bool {
        true
    }

    fn stop_reads(&self) {
        self.stop.begin();
    }
}

/// Sends a job to a thread and waits for its answer. A write that was sent is run even if the
/// caller has gone; a read is interrupted.
async fn ask<T>(jobs: &flume::Sender<T>, job: impl FnOnce(oneshot::Sender<Answer>) -> T) -> Answer {
    let stopped = || EngineError::Unavailable("the database is closed".to_owned());
    let (reply, answer) = oneshot::channel();
    jobs.send_async(job(reply)).await.map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())?
}

fn failed(path: &Path, error: &dyn std::error::Error) -> OpenError {
    OpenError::File { path: path.to_owned(), why: error.to_string() }
}

fn connect(path: &Path, cache_kib: i64) -> rusqlite::Result<Connection> {
    // Each connection belongs to one thread, so it needs no mutex.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Without this, a cached statement is prepared again whenever a bound value might suggest
    // another plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // What D1 would refuse fails here too.
    connection.set_limit(Limit::SQLITE_LIMIT_COMPOUND_SELECT, UNION_MAX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LONG.cast_signed())?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use octopoid_store::{
        Engine, EngineError, Store,
        engine::{Statement, TEXT_MAX},
    };

    use super::{Answer, Location, OpenError, Sqlite};

    /// Reads, but its writer is gone.
    struct ReadOnly(Sqlite);

    impl Engine for ReadOnly {
        fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
            self.0.read(batch)
        }

        fn write(&self, _: Vec<Statement>) -> BoxFuture<'_, Answer> {
            Box::pin(async { Err(EngineError::Unavailable("gone".to_owned())) })
        }
    }

    #[tokio::test]
    async fn a_store_that_cannot_write_is_not_ready() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::File(directory.path().join("a.db"));
        let whole = Store::new(std::sync::Arc::new(Sqlite::open(&location).unwrap()));
        whole.migrate(octopoid_domain::Millis(0)).await.unwrap();
        whole.check_ready().await.unwrap();
        drop(whole);
        let engine = ReadOnly(Sqlite::open(&location).unwrap());
        Store::new(std::sync::Arc::new(engine)).check_ready().await.unwrap_err();
    }

    #[test]
    fn a_link_to_a_database_in_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a.db"), directory.path().join("link.db"));
        // A link that leads nowhere yet makes the file it names.
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let engine = Sqlite::open(&Location::File(link.clone())).unwrap();
        for path in [&file, &link] {
            let second = Sqlite::open(&Location::File(path.clone()));
            assert!(matches!(second, Err(OpenError::InUse(named)) if named == *path));
        }
        drop(engine);
        Sqlite::open(&Location::File(file)).unwrap();
    }

    /// A third of what may be read at once, three times and then once more.
    #[tokio::test]
    async fn a_read_of_too_much_text_is_refused_and_a_write_is_not() {
        const TEXT: &str = "SELECT hex(zeroblob(?1))";
        let batch = |count| {
            let length = i64::try_from(TEXT_MAX / 6).unwrap();
            let statement = Statement { sql: TEXT.into(), parameters: vec![length.into()] };
            vec![statement; count]
        };
        let directory = tempfile::tempdir().unwrap();
        for location in [Location::Memory, Location::File(directory.path().join("a.db"))] {
            let engine = Sqlite::open(&location).unwrap();
            engine.read(batch(3)).await.unwrap();
            for answer in [engine.read(batch(4)).await, engine.read_by_key(batch(4)).await] {
                assert!(matches!(answer, Err(EngineError::TooLarge)));
            }
            engine.write(batch(4)).await.unwrap();
        }
    }
}
