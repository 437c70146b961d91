//! A reading connection, and the interruption of its reads.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use octopoid_store::{
    EngineError,
    engine::{READ_TIME_MAX, Statement, TEXT_MAX},
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::{
    Answer,
    batch::{Failure, run},
};

/// The number of virtual machine instructions between two calls of SQLite's progress handler, which
/// checks whether to interrupt the read: about ten thousand times a second.
const STEPS: std::ffi::c_int = 4_096;

/// Timeouts for reads.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// For a read on a thread of the engine.
    pub(crate) read: Duration,
    /// For a read on the caller's thread, before it is moved to a thread of the engine.
    pub(crate) read_by_key: Duration,
    /// For a read during shutdown, from the time of the request.
    pub(crate) stopping: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            read: READ_TIME_MAX,
            read_by_key: Duration::from_millis(10),
            stopping: Duration::from_secs(1),
        }
    }
}

/// The stop flags that all reads of an engine check.
#[derive(Default)]
pub(crate) struct Stop {
    /// Long reads are interrupted.
    is_stopping: AtomicBool,
    /// All reads are interrupted.
    is_closed: AtomicBool,
}

impl Stop {
    pub(crate) fn begin(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }
}

/// A queued read.
pub(crate) struct Read {
    batch: Vec<Statement>,
    asked: Instant,
    reply: oneshot::Sender<Answer>,
}

impl Read {
    pub(crate) fn new(batch: Vec<Statement>, reply: oneshot::Sender<Answer>) -> Self {
        Self { batch, asked: now(), reply }
    }
}

/// A running read.
struct Running {
    asked: Instant,
    /// The deadline.
    ends: Instant,
    /// The waiting caller; `None` if it runs on the caller's thread.
    caller: Option<oneshot::Sender<Answer>>,
    /// Why it was interrupted.
    ended: Option<End>,
}

/// Why a read was interrupted.
#[derive(Clone, Copy)]
enum End {
    Gone,
    Slow,
    Stopping,
}

impl From<End> for EngineError {
    fn from(end: End) -> Self {
        match end {
            End::Gone => Self::Unavailable("the caller has disconnected".to_owned()),
            End::Slow => Self::TooSlow,
            End::Stopping => Self::Stopping,
        }
    }
}

impl Running {
    fn end(&self, stop: &Stop, times: Times) -> Option<End> {
        let now = now();
        if stop.is_closed.load(Ordering::Relaxed) {
            Some(End::Stopping)
        } else if self.caller.as_ref().is_some_and(oneshot::Sender::is_closed) {
            Some(End::Gone)
        } else if now >= self.ends {
            Some(End::Slow)
        } else if stop.is_stopping.load(Ordering::Relaxed) && now - self.asked >= times.stopping {
            Some(End::Stopping)
        } else {
            None
        }
    }
}

/// A connection whose reads can be interrupted.
pub(crate) struct Reader {
    connection: Connection,
    /// `None` while no read is running: other work of the connection is not interrupted.
    running: Arc<Mutex<Option<Running>>>,
    stop: Arc<Stop>,
    times: Times,
}

impl Reader {
    pub(crate) fn new(
        mut connection: Connection,
        stop: &Arc<Stop>,
        times: Times,
    ) -> rusqlite::Result<Self> {
        let running = Arc::new(Mutex::new(None));
        let (shown, stopping) = (Arc::clone(&running), Arc::clone(stop));
        connection.progress_handler(
            STEPS,
            Some(move || {
                let mut running: MutexGuard<'_, Option<Running>> = locked(&shown);
                let Some(running) = running.as_mut() else { return false };
                running.ended = running.end(&stopping, times);
                running.ended.is_some()
            }),
        )?;
        Ok(Self { connection, running, stop: Arc::clone(stop), times })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Reads and answers, unless the caller has gone.
    pub(crate) fn serve(&self, read: Read) {
        let Read { batch, asked, reply } = read;
        let ends = now() + self.times.read;
        let running = Running { asked, ends, caller: Some(reply), ended: None };
        let (answer, caller) = self.read(&batch, running);
        if let Some(caller) = caller {
            let _ = caller.send(answer);
        }
    }

    /// Reads on the caller's thread. Returns `None` if the read takes too long.
    pub(crate) fn read_here(&self, batch: &[Statement]) -> Option<Answer> {
        let asked = now();
        let ends = asked + self.times.read_by_key;
        let running = Running { asked, ends, caller: None, ended: None };
        match self.read(batch, running).0 {
            Err(EngineError::TooSlow) => None,
            answer => Some(answer),
        }
    }

    /// Runs a batch in one snapshot, and returns the result and the caller.
    fn read(
        &self,
        batch: &[Statement],
        running: Running,
    ) -> (Answer, Option<oneshot::Sender<Answer>>) {
        if let Some(end) = running.end(&self.stop, self.times) {
            return (Err(end.into()), running.caller);
        }
        *locked(&self.running) = Some(running);
        let outcome = self.begin_and_run(batch);
        let running = locked(&self.running).take();
        let (caller, ended) = running.map_or((None, None), |read| (read.caller, read.ended));
        let answer = match (outcome, ended) {
            (Err(Failure::Sqlite(error)), Some(end)) if is_interrupted(&error) => Err(end.into()),
            (outcome, _) => outcome.map_err(Into::into),
        };
        (self.end_with(answer), caller)
    }

    fn begin_and_run(
        &self,
        batch: &[Statement],
    ) -> Result<Vec<octopoid_store::engine::Rows>, Failure> {
        if batch.len() != 1 {
            self.connection.prepare_cached("BEGIN")?.execute([])?;
        }
        run(&self.connection, batch, TEXT_MAX)
    }

    /// Ends the read transaction and releases the snapshot.
    fn end_with(&self, answer: Answer) -> Answer {
        if self.connection.is_autocommit() {
            return answer;
        }
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        match ended {
            Ok(_) => answer,
            Err(error) => Err(Failure::from(error).into()),
        }
    }
}

fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "measures the duration of reads and waits")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
