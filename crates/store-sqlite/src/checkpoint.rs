//! Moving what was committed from the write-ahead log into the database file, so that the log stays
//! short.
//!
//! A thread of its own does it, so that the writer does not wait for the file's sync. Under
//! constant load that thread never catches up with the end of the log; when the log has grown long
//! the writer pauses once and finishes the rest, which is little by then. Reads of an old state keep
//! the log from being restarted. They have a limit of time, and when the log has grown very long the
//! writer waits for them. After a while without a write the log's file is cut.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use octopoid_store::engine::READ_TIME_MAX;
use rusqlite::Connection;

use crate::{BUSY_TIMEOUT, files::beside, reader::now};

/// After so many bytes the thread is asked to look.
const STEP: u64 = 16 << 20;
/// A log of so many bytes is finished by the writer itself, and its file is kept at most as long for
/// the next.
pub(crate) const LONG: u64 = 48 << 20;
/// For a log of so many bytes the writer waits until the reads that need it have ended.
pub(crate) const TOO_LONG: u64 = 128 << 20;
/// A log of so many bytes is left when nothing is written.
pub(crate) const AT_REST_MAX: u64 = 4 << 20;

/// How long the writer waits for short reads to end.
const PAUSE: Duration = Duration::from_millis(100);
/// How long it waits for any. Only another program can read longer.
const LONG_PAUSE: Duration = READ_TIME_MAX.saturating_add(Duration::from_secs(1));

/// What a page takes in the log beside itself.
const FRAME_HEAD: u64 = 24;

/// How long one attempt to finish a checkpoint waits.
const ATTEMPT: Duration = Duration::from_millis(250);

pub(crate) struct Checkpointer {
    log: Log,
    nudge: Option<flume::Sender<()>>,
    /// Held by the thread that checkpoints.
    turn: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How long the log is, in bytes.
struct Log {
    /// Where the last commit ended, as SQLite tells.
    end: Arc<AtomicU64>,
    /// Where it ended when the thread was asked last.
    asked_at: u64,
    /// From where on the writer finishes the rest.
    restart_at: u64,
    /// At most so long is the file.
    file: u64,
    /// Another program reads an old state, and waiting for it was no use.
    is_held: bool,
}

impl Checkpointer {
    /// Checkpoints with one connection what another writes to the database at `path`.
    pub(crate) fn start(
        connection: Connection,
        writer: &mut Connection,
        path: &Path,
    ) -> rusqlite::Result<Self> {
        let log = Log::of(writer, path)?;
        // One nudge may wait; more would say nothing new.
        let (nudge, nudges) = flume::bounded(1);
        let turn = Arc::new(Mutex::new(()));
        let own = Arc::clone(&turn);
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || {
                for () in &nudges {
                    let _turn = own.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(error) = checkpoint(&connection, "PASSIVE") {
                        tracing::warn!(%error, "could not checkpoint, will retry");
                    }
                }
            })
            .expect("the system starts a few threads");
        Ok(Self { log, nudge: Some(nudge), turn, thread: Some(thread) })
    }

    /// Tells that the writer has committed.
    pub(crate) fn wrote(&mut self, writer: &Connection) {
        let end = self.log.look();
        if end < self.log.asked_at + STEP {
            return;
        }
        self.log.asked_at = end;
        if end >= self.log.restart_at {
            self.restart(writer, end);
        }
        if let Some(nudge) = &self.nudge {
            let _ = nudge.try_send(());
        }
    }

    /// Finishes the checkpoint so that the log is restarted.
    fn restart(&mut self, writer: &Connection, end: u64) {
        let is_pressing = end >= TOO_LONG && !self.log.is_held;
        let (turn, pause) = if is_pressing {
            (Some(self.turn.lock().unwrap_or_else(PoisonError::into_inner)), LONG_PAUSE)
        } else {
            (self.turn.try_lock().ok(), PAUSE)
        };
        // The thread is at work: next time it will have left less to do.
        if turn.is_none() {
            return;
        }
        match waiting(writer, pause, "RESTART") {
            Ok(true) => self.log.begin_anew(),
            Ok(false) => {
                self.log.put_off(end);
                if is_pressing {
                    self.log.is_held = true;
                    tracing::warn!(
                        bytes = end,
                        "another program reads an old state of the database, so its log grows"
                    );
                }
            }
            Err(error) => {
                self.log.put_off(end);
                tracing::warn!(%error, "could not restart the log, will retry");
            }
        }
    }

    /// Whether the log should be made shorter when nothing is written.
    pub(crate) fn is_long_at_rest(&self) -> bool {
        self.log.file > AT_REST_MAX
    }

    /// Moves everything into the database file and cuts the log, unless a reader uses an old state
    /// at this moment.
    pub(crate) fn shrink(&mut self, writer: &Connection) {
        let Ok(_turn) = self.turn.try_lock() else { return };
        match waiting(writer, Duration::ZERO, "TRUNCATE") {
            Ok(true) => {
                self.log.begin_anew();
                self.log.file = 0;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "could not shorten the log, will retry"),
        }
    }
}

impl Log {
    fn of(writer: &mut Connection, path: &Path) -> rusqlite::Result<Self> {
        let page: u32 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let frame = u64::from(page) + FRAME_HEAD;
        let end = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&end);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            let pages = u64::try_from(pages).unwrap_or_default();
            told.store(pages * frame, Ordering::Relaxed);
            Ok(())
        }))?;
        // What a server that was killed has left.
        let file = beside(path, "-wal").metadata().map_or(0, |file| file.len());
        Ok(Self { end, asked_at: 0, restart_at: LONG, file, is_held: false })
    }

    /// Where the log ends now.
    fn look(&mut self) -> u64 {
        let end = self.end.load(Ordering::Relaxed);
        // The writer restarts the log by itself when everything was moved and no reader uses it.
        if end < self.asked_at {
            self.begin_anew();
        }
        self.file = self.file.max(end);
        end
    }

    /// Tries again when the log has grown further, and when it becomes too long at the latest.
    fn put_off(&mut self, end: u64) {
        let later = end + LONG;
        self.restart_at = if end < TOO_LONG { later.min(TOO_LONG) } else { later };
    }

    fn begin_anew(&mut self) {
        self.asked_at = 0;
        self.restart_at = LONG;
        self.is_held = false;
        // Until the next commit tells.
        self.end.store(0, Ordering::Relaxed);
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

/// Checkpoints, and waits so long for reads that stand in the way.
///
/// SQLite waits for the lock of a read mark, even if new readers have moved the mark to the end of
/// the log meanwhile. Readers that overlap may hold that lock for ever. Each attempt looks at the
/// marks again, so it takes several short ones instead of a long one.
fn waiting(writer: &Connection, pause: Duration, mode: &str) -> rusqlite::Result<bool> {
    let start = now();
    let outcome = loop {
        let left = pause.saturating_sub(start.elapsed());
        writer.busy_timeout(left.min(ATTEMPT))?;
        let outcome = checkpoint(writer, mode);
        if left.is_zero() || !matches!(outcome, Ok(false)) {
            break outcome;
        }
    };
    writer.busy_timeout(BUSY_TIMEOUT)?;
    outcome
}

/// Checkpoints, and tells whether nothing stood in the way.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(row.get::<_, i64>(0)? == 0)
    })
}
