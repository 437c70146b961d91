//! Checkpoints: copying committed pages from the write-ahead log (WAL) into the database file, so
//! that the WAL stays short.
//!
//! A separate thread checkpoints, so that the writer does not wait for the sync of the database
//! file. Under constant load that thread never reaches the end of the WAL. When the WAL has become
//! long, the writer pauses and checkpoints the rest, which is short by then. The WAL cannot be
//! reset while a reader uses an old snapshot. Reads have a timeout, and when the WAL has become
//! very long, the writer waits for them. After a while without writes the WAL file is truncated.

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

use crate::{BUSY_TIMEOUT, files::beside, reader::now, snapshot};

/// The thread is signalled each time the WAL has grown by this number of bytes.
const STEP: u64 = 16 << 20;
/// From this size of the WAL the writer completes the checkpoint itself. The file is kept at most
/// at this size for reuse.
pub(crate) const LONG: u64 = 48 << 20;
/// From this size of the WAL the writer waits for the reads that use an old snapshot.
pub(crate) const TOO_LONG: u64 = 128 << 20;
/// The maximum size of the WAL file while nothing is written.
pub(crate) const AT_REST_MAX: u64 = 4 << 20;

/// How long the writer waits for short reads.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the writer waits for all reads. Only another program, or a backup, can read longer.
const LONG_PAUSE: Duration = READ_TIME_MAX.saturating_add(Duration::from_secs(1));

/// The size of the header of a WAL frame.
const FRAME_HEAD: u64 = 24;

/// How long one attempt to finish a checkpoint waits.
const ATTEMPT: Duration = Duration::from_millis(250);

pub(crate) struct Checkpointer {
    wal: Wal,
    nudge: Option<flume::Sender<()>>,
    /// Held by the thread that is checkpointing.
    lock: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The size of the WAL, in bytes.
struct Wal {
    /// The end of the last commit, as reported by SQLite.
    end: Arc<AtomicU64>,
    /// The end when the thread was last signalled.
    signalled_at: u64,
    /// The size from which the writer completes the checkpoint.
    restart_at: u64,
    /// The maximum size that the file may have.
    file: u64,
    /// Whether another program uses an old snapshot, and waiting for it has timed out.
    is_held: bool,
}

impl Checkpointer {
    /// Starts the thread, which checkpoints with `connection` what `writer` writes.
    pub(crate) fn start(
        connection: Connection,
        writer: &mut Connection,
        path: &Path,
    ) -> rusqlite::Result<Self> {
        let wal = Wal::of(writer, path)?;
        // One pending signal is enough.
        let (nudge, nudges) = flume::bounded(1);
        let lock = Arc::new(Mutex::new(()));
        let thread_lock = Arc::clone(&lock);
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || {
                for () in &nudges {
                    let _guard = thread_lock.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(error) = checkpoint(&connection, "PASSIVE") {
                        tracing::warn!(%error, "checkpoint failed, will retry");
                    }
                }
            })
            .expect("the system starts a few threads");
        Ok(Self { wal, nudge: Some(nudge), lock, thread: Some(thread) })
    }

    /// Called after each commit of the writer.
    pub(crate) fn wrote(&mut self, writer: &Connection) {
        let end = self.wal.update_end();
        if end < self.wal.signalled_at + STEP {
            return;
        }
        self.wal.signalled_at = end;
        if end >= self.wal.restart_at {
            self.restart(writer, end);
        }
        if let Some(nudge) = &self.nudge {
            let _ = nudge.try_send(());
        }
    }

    /// Completes the checkpoint so that the WAL is reset.
    fn restart(&mut self, writer: &Connection, end: u64) {
        // A copy may take long, and writes do not wait for it.
        let is_pressing = end >= TOO_LONG && !self.wal.is_held && !snapshot::is_running();
        let (lock, pause) = if is_pressing {
            (Some(self.lock.lock().unwrap_or_else(PoisonError::into_inner)), LONG_PAUSE)
        } else {
            (self.lock.try_lock().ok(), PAUSE)
        };
        // The thread is checkpointing: next time there is less to do.
        if lock.is_none() {
            return;
        }
        match waiting(writer, pause, "RESTART") {
            Ok(true) => self.wal.reset(),
            Ok(false) => {
                self.wal.put_off(end);
                if is_pressing {
                    self.wal.is_held = true;
                    tracing::warn!(
                        bytes = end,
                        "another program holds an old snapshot of the database, so the WAL grows"
                    );
                }
            }
            Err(error) => {
                self.wal.put_off(end);
                tracing::warn!(%error, "could not reset the WAL, will retry");
            }
        }
    }

    /// Whether a write has waited for the snapshot of another program until the timeout.
    #[cfg(test)]
    pub(crate) fn has_waited(&self) -> bool {
        self.wal.is_held
    }

    /// Whether the WAL should be truncated while nothing is written.
    pub(crate) fn is_long_at_rest(&self) -> bool {
        self.wal.file > AT_REST_MAX
    }

    /// Checkpoints all pages and truncates the WAL, unless a reader uses an old snapshot at this
    /// moment.
    pub(crate) fn shrink(&mut self, writer: &Connection) {
        let Ok(_guard) = self.lock.try_lock() else { return };
        match waiting(writer, Duration::ZERO, "TRUNCATE") {
            Ok(true) => {
                self.wal.reset();
                self.wal.file = 0;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "could not truncate the WAL, will retry"),
        }
    }
}

impl Wal {
    fn of(writer: &mut Connection, path: &Path) -> rusqlite::Result<Self> {
        let page: u32 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let frame = u64::from(page) + FRAME_HEAD;
        let end = Arc::new(AtomicU64::new(0));
        let hook_end = Arc::clone(&end);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            let pages = u64::try_from(pages).unwrap_or_default();
            hook_end.store(pages * frame, Ordering::Relaxed);
            Ok(())
        }))?;
        // A WAL file may be left by a server that was killed.
        let file = beside(path, "-wal").metadata().map_or(0, |file| file.len());
        Ok(Self { end, signalled_at: 0, restart_at: LONG, file, is_held: false })
    }

    /// Updates and returns the end of the WAL.
    fn update_end(&mut self) -> u64 {
        let end = self.end.load(Ordering::Relaxed);
        // SQLite resets the WAL itself when all pages are checkpointed and no reader uses it.
        if end < self.signalled_at {
            self.reset();
        }
        self.file = self.file.max(end);
        end
    }

    /// Retries when the WAL has grown further, at the latest when it becomes too long.
    fn put_off(&mut self, end: u64) {
        let later = end + LONG;
        self.restart_at = if end < TOO_LONG { later.min(TOO_LONG) } else { later };
    }

    fn reset(&mut self) {
        self.signalled_at = 0;
        self.restart_at = LONG;
        self.is_held = false;
        // Until the next commit reports it.
        self.end.store(0, Ordering::Relaxed);
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Checkpoints, and waits at most `pause` for blocking reads.
///
/// SQLite waits for the lock of a read mark even if new readers have moved the mark to the end of the
/// WAL meanwhile. Overlapping readers can hold that lock forever. Each attempt reads the marks again,
/// so several short attempts replace a long one.
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

/// Checkpoints, and returns whether it was not blocked by a reader.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(row.get::<_, i64>(0)? == 0)
    })
}
