//! Moving what was committed from the write-ahead log into the database file.
//!
//! A thread of its own does it, so that the writer does not wait for the file's sync. Under
//! constant load that thread never catches up with the end of the log; when the log has grown long
//! the writer pauses once and finishes the rest, which is little by then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use crate::BUSY_TIMEOUT;

/// After so many statements the thread is asked to look.
const STATEMENTS: usize = 4_000;
/// Pages in the log from which the writer finishes the rest itself: 32 MiB.
const PAGES_MAX: i64 = 8_192;

pub(crate) struct Checkpointer {
    /// Statements since the thread was asked last.
    statements: usize,
    nudge: Option<flume::Sender<()>>,
    /// Set by the thread when the log has grown long.
    is_long: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(crate) fn start(connection: Connection) -> Self {
        // One nudge may wait; more would say nothing new.
        let (nudge, nudges) = flume::bounded(1);
        let is_long = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_long);
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || {
                for () in &nudges {
                    match checkpoint(&connection, "PASSIVE") {
                        Ok(pages) => flag.store(pages > PAGES_MAX, Ordering::Relaxed),
                        Err(error) => tracing::warn!(%error, "could not checkpoint, will retry"),
                    }
                }
            })
            .expect("the system starts a few threads");
        Self { statements: 0, nudge: Some(nudge), is_long, thread: Some(thread) }
    }

    /// Tells that the writer has committed so many statements.
    pub(crate) fn wrote(&mut self, writer: &Connection, statements: usize) {
        self.statements += statements;
        if self.statements < STATEMENTS {
            return;
        }
        self.statements = 0;
        if self.is_long.swap(false, Ordering::Relaxed)
            && let Err(error) = restart(writer)
        {
            tracing::warn!(%error, "could not restart the log, will retry");
        }
        if let Some(nudge) = &self.nudge {
            let _ = nudge.try_send(());
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its hook already.
            let _ = thread.join();
        }
    }
}

/// Finishes the checkpoint so that the log begins anew. If somebody still reads an old state, a
/// backup for instance, the log grows on until they have finished: writers do not wait for them.
fn restart(writer: &Connection) -> rusqlite::Result<i64> {
    writer.busy_timeout(Duration::ZERO)?;
    let outcome = checkpoint(writer, "RESTART");
    writer.busy_timeout(BUSY_TIMEOUT)?;
    outcome
}

/// Checkpoints and returns the number of pages in the log.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}
