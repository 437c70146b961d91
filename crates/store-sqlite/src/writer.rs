//! The one thread that writes, and its group commit.

use std::{thread::JoinHandle, time::Duration};

use flume::RecvTimeoutError;
use octopoid_store::{
    EngineError,
    engine::{Parameter, Statement},
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::{
    Answer,
    batch::{Failure, run},
    checkpoint::Checkpointer,
    files::Files,
    reader::{Read, Reader},
};

/// The most batches that share a commit.
const GROUP_MAX: usize = 512;
/// The text from which no further batch joins a group, so that a group does not make the log long.
const GROUP_TEXT_MAX: usize = 8 << 20;
/// The most batches that wait; senders beyond that wait themselves.
const QUEUE_MAX: usize = 4096;
/// After so much time without a write the log is made short.
const IDLE: Duration = Duration::from_secs(1);

/// A batch that waits for its turn.
pub(crate) struct Write {
    batch: Vec<Statement>,
    /// How many bytes of text its parameters have.
    text: usize,
    reply: oneshot::Sender<Answer>,
}

impl Write {
    pub(crate) fn new(batch: Vec<Statement>, reply: oneshot::Sender<Answer>) -> Self {
        let parameters = batch.iter().flat_map(|statement| &statement.parameters);
        let text = parameters.map(|parameter| match parameter {
            Parameter::Text(text) => text.as_ref().map_or(0, String::len),
            Parameter::Int(_) => 0,
        });
        Self { text: text.sum(), batch, reply }
    }
}

/// A job for the writing thread.
pub(crate) enum Job {
    Write(Write),
    /// Of a database in memory, which only the writer's connection sees.
    Read(Read),
}

/// The writing thread. Dropping it lets the thread finish what it has and waits for it.
pub(crate) struct Writer {
    jobs: Option<flume::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What belongs to a database on disk.
pub(crate) struct OnDisk {
    pub(crate) checkpointer: Checkpointer,
    pub(crate) files: Files,
}

impl Writer {
    pub(crate) fn start(connection: Reader, disk: Option<OnDisk>) -> Self {
        let (jobs, inbox) = flume::bounded(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || Loop { connection, inbox, disk }.run())
            .expect("the system starts a few threads");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    pub(crate) fn jobs(&self) -> &flume::Sender<Job> {
        self.jobs.as_ref().expect("the sender is there until the writer is dropped")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its hook already.
            let _ = thread.join();
        }
    }
}

/// What the writing thread has.
struct Loop {
    connection: Reader,
    inbox: flume::Receiver<Job>,
    disk: Option<OnDisk>,
}

impl Loop {
    /// The batches that are queued when a commit starts share its sync to disk. There is no timer:
    /// the duration of one commit fills the next group.
    fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while let Some(job) = self.next() {
            let read = self.gather(job, &mut group);
            if !group.is_empty() {
                self.finish(&mut group);
            }
            // Only now: under steady reads the writes before them would never be committed.
            if let Some(read) = read {
                self.connection.serve(read);
            }
        }
    }

    /// Waits for a job, and makes the log short if none comes for a while.
    fn next(&mut self) -> Option<Job> {
        loop {
            let Some(disk) = self.disk.as_mut().filter(|disk| disk.checkpointer.is_long_at_rest())
            else {
                return self.inbox.recv().ok();
            };
            match self.inbox.recv_timeout(IDLE) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {
                    disk.checkpointer.shrink(self.connection.connection());
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Adds this write and those that wait behind it to the group. A read ends the group and is
    /// returned.
    fn gather(&self, mut job: Job, group: &mut Vec<Write>) -> Option<Read> {
        let mut text = 0;
        loop {
            match job {
                Job::Write(write) => {
                    text += write.text;
                    group.push(write);
                }
                Job::Read(read) => return Some(read),
            }
            if group.len() >= GROUP_MAX || text >= GROUP_TEXT_MAX {
                return None;
            }
            job = self.inbox.try_recv().ok()?;
        }
    }

    /// Commits a group and answers it. A reply leaves only after the commit that makes it true.
    /// A caller that has stopped waiting does not want it.
    fn finish(&mut self, group: &mut Vec<Write>) {
        let checked = self.disk.as_ref().map_or(Ok(()), |disk| disk.files.check());
        match checked.and_then(|()| commit(self.connection.connection(), group)) {
            Ok(answers) => {
                for (write, answer) in group.drain(..).zip(answers) {
                    let _ = write.reply.send(answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, "could not commit a group of {} batches", group.len());
                for write in group.drain(..) {
                    let _ = write.reply.send(Err(error.clone()));
                }
            }
        }
        if let Some(disk) = &mut self.disk {
            disk.checkpointer.wrote(self.connection.connection());
        }
    }
}

/// Why a transaction was undone.
enum Undone {
    /// A batch failed. Without it, the others may succeed.
    Batch(Failure),
    /// The transaction itself could not be begun or committed.
    All(EngineError),
}

impl From<Undone> for EngineError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Batch(failure) => failure.into(),
            Undone::All(error) => error,
        }
    }
}

/// Runs a group in one transaction. A batch that fails is a rare bug, so the group is run as it is
/// first; only if one fails is all of it undone and run again, each batch in a savepoint of its
/// own, so that the bad one harms no other.
fn commit(connection: &Connection, group: &[Write]) -> Result<Vec<Answer>, EngineError> {
    // What is written came in small pieces, and must not fail because it is large in all.
    let run = |write: &Write| run(connection, &write.batch, usize::MAX);
    match transaction(connection, || group.iter().map(|write| run(write).map(Ok)).collect()) {
        Ok(answers) => return Ok(answers),
        Err(Undone::All(error)) => return Err(error),
        Err(Undone::Batch(_)) => {}
    }
    let alone = |write: &Write| run_alone(connection, write);
    match transaction(connection, || group.iter().map(alone).collect()) {
        Ok(answers) => Ok(answers),
        // SQLite commits nothing of a transaction that has met a damaged page.
        Err(Undone::All(EngineError::Damaged(_))) => {
            let own = |write| transaction(connection, || run(write)).map_err(Into::into);
            Ok(group.iter().map(own).collect())
        }
        Err(Undone::All(error)) => Err(error),
        // SQLite has given up the transaction by itself: on a full disk, for instance.
        Err(Undone::Batch(failure)) => {
            Err(EngineError::Unavailable(EngineError::from(failure).to_string()))
        }
    }
}

/// Commits what `work` does, or nothing.
fn transaction<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Undone> {
    let unable = |error: rusqlite::Error| Undone::All(EngineError::Unavailable(error.to_string()));
    // Left over if undoing the last one failed.
    undo(connection).map_err(unable)?;
    execute(connection, "BEGIN IMMEDIATE").map_err(unable)?;
    let outcome = match work() {
        Ok(done) => execute(connection, "COMMIT")
            .map(|()| done)
            .map_err(|error| Undone::All(commit_error(&error))),
        Err(failure) => Err(Undone::Batch(failure)),
    };
    if outcome.is_err()
        && let Err(error) = undo(connection)
    {
        tracing::error!(%error, "could not roll back, will retry");
    }
    outcome
}

/// Rolls back what has been begun.
fn undo(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { execute(connection, "ROLLBACK") }
}

/// What a commit that failed has done. Without room, the log has no end of the transaction, and
/// SQLite never writes the end of one that has met a damaged page. After any other error the end
/// may be there: SQLite takes the transaction back, but would find it in the log if the process
/// died now.
fn commit_error(error: &rusqlite::Error) -> EngineError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ConstraintViolation,
        ) => EngineError::Unavailable(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => EngineError::Damaged(text),
        _ => EngineError::Unconfirmed(text),
    }
}

/// Runs one batch, all or nothing. The outer error means that the whole group is lost.
fn run_alone(connection: &Connection, write: &Write) -> Result<Answer, Failure> {
    execute(connection, "SAVEPOINT job")?;
    match run(connection, &write.batch, usize::MAX) {
        Ok(rows) => {
            execute(connection, "RELEASE job")?;
            Ok(Ok(rows))
        }
        Err(error) if connection.is_autocommit() => Err(error),
        Err(error) => {
            execute(connection, "ROLLBACK TO job")?;
            execute(connection, "RELEASE job")?;
            Ok(Err(error.into()))
        }
    }
}

fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use octopoid_store::{
        EngineError,
        engine::{Statement, Value},
    };
    use rusqlite::{Connection, ffi};
    use tokio::sync::oneshot;

    use super::{Job, Loop, Undone, Write, commit, commit_error, transaction};
    use crate::reader::{Read, Reader, Stop, Times};

    fn one(sql: &'static str) -> Vec<Statement> {
        vec![Statement { sql: sql.into(), parameters: Vec::new() }]
    }

    #[test]
    fn a_read_does_not_hold_up_the_writes_before_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE numbers (number)").unwrap();
        let connection =
            Reader::new(connection, &Arc::new(Stop::default()), Times::default()).unwrap();
        let (jobs, inbox) = flume::unbounded();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (reply, _) = oneshot::channel();
            let write = Write::new(one("INSERT INTO numbers VALUES (1)"), reply);
            jobs.send(Job::Write(write)).unwrap();
            let (reply, answer) = oneshot::channel();
            let read = Read::new(one("SELECT COUNT(*) FROM numbers"), reply);
            jobs.send(Job::Read(read)).unwrap();
            seen.push(answer);
        }
        drop(jobs);
        Loop { connection, inbox, disk: None }.run();
        for (answer, count) in seen.iter_mut().zip(1..) {
            let rows = answer.try_recv().unwrap().unwrap();
            assert_eq!(rows, [vec![vec![Value::Int(count)]]], "the writes before it are committed");
        }
    }

    #[test]
    fn a_commit_that_sqlite_refuses_did_nothing_and_the_next_is_made() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; CREATE TABLE parents (id INTEGER PRIMARY KEY);
                 CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
            )
            .unwrap();
        let group = |sql| [Write::new(one(sql), oneshot::channel().0)];
        let orphan = commit(&connection, &group("INSERT INTO children VALUES (1)"));
        assert!(matches!(orphan, Err(EngineError::Unavailable(_))), "{orphan:?}");
        commit(&connection, &group("INSERT INTO parents VALUES (1)")).unwrap();
        let count = commit(&connection, &group("SELECT COUNT(*) FROM children")).unwrap();
        assert_eq!(*count[0].as_ref().unwrap(), [vec![vec![Value::Int(0)]]]);
    }

    /// A rollback journal that cannot be deleted is an I/O error in the middle of a commit.
    #[test]
    fn a_commit_that_fails_because_of_the_disk_is_unconfirmed() {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("db")).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = DELETE; CREATE TABLE numbers (number)")
            .unwrap();
        let journal = directory.path().join("db-journal");
        let failed = transaction(&connection, || {
            connection.execute("INSERT INTO numbers VALUES (1)", [])?;
            fs::remove_file(&journal).unwrap();
            fs::create_dir(&journal).unwrap();
            Ok(())
        });
        let Err(Undone::All(error)) = failed else { panic!("it was committed") };
        assert!(matches!(error, EngineError::Unconfirmed(_)), "{error:?}");
    }

    /// The codes with which a commit can fail, sorted by what is known afterwards.
    #[test]
    fn a_commit_that_failed_is_unconfirmed_unless_sqlite_knows_that_it_did_nothing() {
        let failed =
            |code| commit_error(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_CONSTRAINT_COMMITHOOK] {
            assert!(matches!(failed(code), EngineError::Unavailable(_)), "{code}");
        }
        for code in [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_SHMSIZE,
            ffi::SQLITE_NOMEM,
        ] {
            assert!(matches!(failed(code), EngineError::Unconfirmed(_)), "{code}");
        }
        assert!(matches!(failed(ffi::SQLITE_CORRUPT), EngineError::Damaged(_)));
    }
}
