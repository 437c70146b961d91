//! The writer thread and its group commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use flume::RecvTimeoutError;
use octopoid_store::{EngineError, engine::Statement};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::{
    Answer, Commits,
    batch::{Failure, Prepared},
    checkpoint::Checkpointer,
    files::Files,
    reader::{Read, Reader},
};

/// The maximum number of batches in a commit.
const GROUP_MAX: usize = 512;
/// The total text from which no further batch joins a group, to limit the size of the WAL.
const GROUP_TEXT_MAX: usize = 8 << 20;
/// The maximum number of queued batches. Further senders wait.
const QUEUE_MAX: usize = 4096;
/// The time without writes after which the WAL is truncated.
const IDLE: Duration = Duration::from_secs(1);

/// A queued batch.
pub(crate) struct Write {
    batch: Vec<Statement>,
    /// The number of bytes of text in its parameters.
    text: usize,
    reply: oneshot::Sender<Answer>,
}

impl Write {
    pub(crate) fn new(batch: Vec<Statement>, reply: oneshot::Sender<Answer>) -> Self {
        let text = batch.iter().map(Statement::text_bytes).sum();
        Self { batch, text, reply }
    }
}

/// A job for the writer thread.
pub(crate) enum Job {
    Write(Write),
    /// A read of an in-memory database, which only the writer's connection sees.
    Read(Read),
}

/// The writer thread. Dropping it completes the queued jobs and joins the thread.
pub(crate) struct Writer {
    jobs: Option<flume::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    done: Arc<Done>,
}

/// Counts what was committed.
#[derive(Default)]
struct Done {
    commits: AtomicU64,
    batches: AtomicU64,
}

/// The parts that only a database on disk has.
pub(crate) struct OnDisk {
    pub(crate) checkpointer: Checkpointer,
    pub(crate) files: Files,
}

impl Writer {
    pub(crate) fn start(connection: Reader, disk: Option<OnDisk>) -> Self {
        let (jobs, inbox) = flume::bounded(QUEUE_MAX);
        let done = Arc::new(Done::default());
        let counts = Arc::clone(&done);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || Loop { connection, inbox, disk, done: counts }.run())
            .expect("the system starts a few threads");
        Self { jobs: Some(jobs), thread: Some(thread), done }
    }

    pub(crate) fn commits(&self) -> Commits {
        Commits {
            commits: self.done.commits.load(Ordering::Relaxed),
            batches: self.done.batches.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn jobs(&self) -> &flume::Sender<Job> {
        self.jobs.as_ref().expect("the sender is there until the writer is dropped")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// The state of the writer thread.
struct Loop {
    connection: Reader,
    inbox: flume::Receiver<Job>,
    disk: Option<OnDisk>,
    done: Arc<Done>,
}

impl Loop {
    /// The batches that are queued when a commit starts share its sync to disk. There is no timer:
    /// the duration of one commit fills the next group.
    fn run(self) {
        let Self { connection, inbox, mut disk, done } = self;
        let mut prepared = Prepared::new(connection.connection());
        let mut group = Vec::with_capacity(GROUP_MAX);
        let mut is_shared = false;
        while let Some(job) = next(&inbox, connection.connection(), disk.as_mut()) {
            let read = gather(&inbox, job, &mut group, is_shared);
            is_shared = group.len() > 1;
            if !group.is_empty() {
                finish(&mut prepared, disk.as_mut(), &mut group, &done);
            }
            // Reads are run after the commit; otherwise continuous reads would block the writes.
            if let Some(read) = read {
                connection.serve(read);
            }
        }
    }
}

/// Waits for a job, and truncates the WAL if none arrives for a while.
fn next(
    inbox: &flume::Receiver<Job>,
    connection: &Connection,
    mut disk: Option<&mut OnDisk>,
) -> Option<Job> {
    loop {
        let Some(disk) = disk.as_mut().filter(|disk| disk.checkpointer.is_long_at_rest()) else {
            return inbox.recv().ok();
        };
        match inbox.recv_timeout(IDLE) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) => disk.checkpointer.shrink(connection),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Adds this write and the queued ones to the group. A read ends the group and is returned.
///
/// Those whom the last group has answered send their next requests at about the same time. If it had
/// several (`is_shared`), other threads run before a commit begins, as long as that brings more
/// writes: one sync for the first write alone would make all others wait.
fn gather(
    inbox: &flume::Receiver<Job>,
    mut job: Job,
    group: &mut Vec<Write>,
    is_shared: bool,
) -> Option<Read> {
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
        job = match inbox.try_recv() {
            Ok(job) => job,
            Err(_) if is_shared => {
                std::thread::yield_now();
                inbox.try_recv().ok()?
            }
            Err(_) => return None,
        };
    }
}

/// Commits a group and answers it. Replies are sent only after the commit. Callers that have gone
/// are ignored.
fn finish(
    prepared: &mut Prepared<'_>,
    disk: Option<&mut OnDisk>,
    group: &mut Vec<Write>,
    done: &Done,
) {
    let checked = disk.as_ref().map_or(Ok(()), |disk| disk.files.check());
    match checked.and_then(|()| commit(prepared, group)) {
        Ok(answers) => {
            done.commits.fetch_add(1, Ordering::Relaxed);
            done.batches.fetch_add(group.len() as u64, Ordering::Relaxed);
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
    if let Some(disk) = disk {
        disk.checkpointer.wrote(prepared.connection());
    }
}

/// Why a transaction was rolled back.
enum Undone {
    /// A batch failed. The others may succeed without it.
    Batch(Failure),
    /// The transaction itself could not be started or committed.
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

/// Runs a group in one transaction. A failing batch is a rare bug, so the group is first run
/// without savepoints. Only if a batch fails, the group is rolled back and run again, each batch in
/// its own savepoint, so that the failing one does not affect the others.
fn commit(prepared: &mut Prepared<'_>, group: &[Write]) -> Result<Vec<Answer>, EngineError> {
    match transaction(prepared, |prepared| {
        group.iter().map(|write| prepared.run(&write.batch).map(Ok)).collect()
    }) {
        Ok(answers) => return Ok(answers),
        Err(Undone::All(error)) => return Err(error),
        Err(Undone::Batch(_)) => {}
    }
    match transaction(prepared, |prepared| {
        group.iter().map(|write| run_alone(prepared, write)).collect()
    }) {
        Ok(answers) => Ok(answers),
        // SQLite does not commit a transaction that has read a corrupt page.
        Err(Undone::All(EngineError::Damaged(_))) => {
            let mut own = |write: &Write| {
                transaction(prepared, |prepared| prepared.run(&write.batch)).map_err(Into::into)
            };
            Ok(group.iter().map(&mut own).collect())
        }
        Err(Undone::All(error)) => Err(error),
        // SQLite has rolled the transaction back itself, for example on a full disk.
        Err(Undone::Batch(failure)) => {
            Err(EngineError::Unavailable(EngineError::from(failure).to_string()))
        }
    }
}

/// Runs `work` in a transaction.
fn transaction<T>(
    prepared: &mut Prepared<'_>,
    work: impl FnOnce(&mut Prepared<'_>) -> Result<T, Failure>,
) -> Result<T, Undone> {
    let unable = |error: rusqlite::Error| Undone::All(EngineError::Unavailable(error.to_string()));
    // A transaction is left open if the last rollback failed.
    undo(prepared).map_err(unable)?;
    prepared.execute("BEGIN IMMEDIATE").map_err(unable)?;
    let outcome = match work(prepared) {
        Ok(done) => prepared
            .execute("COMMIT")
            .map(|()| done)
            .map_err(|error| Undone::All(commit_error(&error))),
        Err(failure) => Err(Undone::Batch(failure)),
    };
    if outcome.is_err()
        && let Err(error) = undo(prepared)
    {
        tracing::error!(%error, "could not roll back, will retry");
    }
    outcome
}

/// Rolls back an open transaction.
fn undo(prepared: &mut Prepared<'_>) -> rusqlite::Result<()> {
    if prepared.connection().is_autocommit() { Ok(()) } else { prepared.execute("ROLLBACK") }
}

/// The outcome of a failed commit. If the disk is full, the WAL has no commit record, and SQLite
/// never writes one for a transaction that has read a corrupt page. After any other error the
/// commit record may be in the WAL: SQLite rolls back, but would recover the transaction after a
/// crash.
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

/// Runs one batch in a savepoint. The outer error means that the whole group has failed.
fn run_alone(prepared: &mut Prepared<'_>, write: &Write) -> Result<Answer, Failure> {
    prepared.execute("SAVEPOINT job")?;
    match prepared.run(&write.batch) {
        Ok(rows) => {
            prepared.execute("RELEASE job")?;
            Ok(Ok(rows))
        }
        Err(error) if prepared.connection().is_autocommit() => Err(error),
        Err(error) => {
            prepared.execute("ROLLBACK TO job")?;
            prepared.execute("RELEASE job")?;
            Ok(Err(error.into()))
        }
    }
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

    use super::{Job, Loop, Prepared, Undone, Write, commit, commit_error, transaction};
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
        Loop { connection, inbox, disk: None, done: Arc::default() }.run();
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
        let mut prepared = Prepared::new(&connection);
        let orphan = commit(&mut prepared, &group("INSERT INTO children VALUES (1)"));
        assert!(matches!(orphan, Err(EngineError::Unavailable(_))), "{orphan:?}");
        commit(&mut prepared, &group("INSERT INTO parents VALUES (1)")).unwrap();
        let count = commit(&mut prepared, &group("SELECT COUNT(*) FROM children")).unwrap();
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
        let failed = transaction(&mut Prepared::new(&connection), |_| {
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
