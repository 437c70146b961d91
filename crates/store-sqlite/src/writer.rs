//! The one thread that writes, and its group commit.

use std::thread::JoinHandle;

use octopoid_store::EngineError;
use rusqlite::Connection;

use crate::{
    Answer, Job,
    batch::{Failure, run},
    checkpoint::Checkpointer,
};

/// The most batches that share a commit.
const GROUP_MAX: usize = 512;
/// The most batches that wait; senders beyond that wait themselves.
const QUEUE_MAX: usize = 4096;

/// The writing thread. Dropping it lets the thread finish what it has and waits for it.
pub(crate) struct Writer {
    jobs: Option<flume::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, checkpointer: Option<Checkpointer>) -> Self {
        let (jobs, inbox) = flume::bounded(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(&connection, &inbox, checkpointer))
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

/// Whatever is queued when a commit starts shares its sync to disk. No timer: the last commit's
/// own duration fills the next group.
fn write_loop(
    connection: &Connection,
    inbox: &flume::Receiver<Job>,
    mut checkpointer: Option<Checkpointer>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while let Ok(job) = inbox.recv() {
        group.push(job);
        group.extend(inbox.try_iter().take(GROUP_MAX - 1));
        let statements = group.iter().map(|job| job.batch.len()).sum();
        let outcome = commit(connection, &group);
        // A reply leaves only after the commit that makes it true. Whoever has stopped waiting
        // does not want it.
        match outcome {
            Ok(answers) => {
                for (job, answer) in group.drain(..).zip(answers) {
                    let _ = job.reply.send(answer);
                }
            }
            Err(error) => {
                let error = EngineError::from(error);
                tracing::error!(%error, "could not commit a group of {} batches", group.len());
                for job in group.drain(..) {
                    let _ = job.reply.send(Err(EngineError::Unavailable(error.to_string())));
                }
            }
        }
        if let Some(checkpointer) = &mut checkpointer {
            checkpointer.wrote(connection, statements);
        }
    }
}

/// Runs a group in one transaction. A batch that fails is a rare bug, so the group is run as it is
/// first; only if one fails is all of it undone and run again, each batch in a savepoint of its
/// own, so that the bad one harms no other.
fn commit(connection: &Connection, group: &[Job]) -> Result<Vec<Answer>, Failure> {
    let together = transaction(connection, || {
        group.iter().map(|job| run(connection, &job.batch, job.text_max).map(Ok)).collect()
    });
    if together.is_ok() {
        return together;
    }
    transaction(connection, || group.iter().map(|job| run_alone(connection, job)).collect())
}

/// Commits what `work` does, or nothing.
fn transaction<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let outcome = work().and_then(|done| Ok(execute(connection, "COMMIT").map(|()| done)?));
    // SQLite may have given up the transaction by itself: on a full disk, for instance.
    if outcome.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK")?;
    }
    outcome
}

/// Runs one batch, all or nothing. The outer error means that the whole group is lost.
fn run_alone(connection: &Connection, job: &Job) -> Result<Answer, Failure> {
    execute(connection, "SAVEPOINT job")?;
    match run(connection, &job.batch, job.text_max) {
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

fn execute(connection: &Connection, sql: &'static str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
