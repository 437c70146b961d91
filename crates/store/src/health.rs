//! What the last batches told about the database, so that readiness can tell it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    EngineError, Result, Store,
    engine::{Rows, SharedEngine, Statement, bind},
};

/// Something to write that needs room on the disk, and leaves nothing. No role is without a name.
const WRITE_ROLE: &str = "INSERT INTO roles (name, scope, description, claims_from, \
     orchestrator_id, created_at) VALUES ('', '', ?1, '', '', 0)";
const DELETE_ROLE: &str = "DELETE FROM roles WHERE name = '' AND scope = ''";

/// How long the probe's text is. A write that fits into a page or two may work on a disk that has
/// no room for the next task.
const PROBE_BYTES: usize = 64 * 1024;

/// An engine, and how the batches that passed through it ended.
pub(crate) struct Watched {
    engine: SharedEngine,
    /// A write failed, and no probe has worked since.
    is_failing: AtomicBool,
    /// The probe is on its way; more would say nothing new.
    is_probing: AtomicBool,
    /// Something stored was found damaged. Nothing repairs it while the process runs.
    is_damaged: AtomicBool,
}

type Answer = std::result::Result<Vec<Rows>, EngineError>;

impl Watched {
    pub(crate) fn new(engine: SharedEngine) -> Self {
        Self {
            engine,
            is_failing: AtomicBool::new(false),
            is_probing: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
        }
    }

    pub(crate) async fn read(&self, batch: Vec<Statement>) -> Answer {
        self.noted(self.engine.read(batch).await)
    }

    pub(crate) async fn look_up(&self, batch: Vec<Statement>) -> Answer {
        self.noted(self.engine.look_up(batch).await)
    }

    pub(crate) async fn read_for_health(&self, batch: Vec<Statement>) -> Answer {
        self.noted(self.engine.read_for_health(batch).await)
    }

    pub(crate) async fn write(&self, batch: Vec<Statement>) -> Answer {
        let answer = self.noted(self.engine.write(batch).await);
        if let Err(EngineError::Unavailable(_) | EngineError::Unconfirmed(_)) = answer {
            self.is_failing.store(true, Ordering::Relaxed);
        }
        answer
    }

    pub(crate) fn stop_reads(&self) {
        self.engine.stop_reads();
    }

    fn noted(&self, answer: Answer) -> Answer {
        if let Err(EngineError::Damaged(_)) = answer {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Tries to write what needs room, after a write that failed.
    async fn probe(&self) -> std::result::Result<(), EngineError> {
        if self.is_probing.swap(true, Ordering::Relaxed) {
            let text = "the last write failed, and another try has not ended yet";
            return Err(EngineError::Unavailable(text.to_owned()));
        }
        let _turn = Turn(&self.is_probing);
        let text = "x".repeat(PROBE_BYTES);
        self.write(vec![bind!(WRITE_ROLE, text), bind!(DELETE_ROLE)]).await?;
        self.is_failing.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Ends with the probe, also with one that is given up.
struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Store {
    /// Whether the database takes writes, answers, is sound as far as is known, and has a schema
    /// that this server can work with. After a write that failed it is not ready until a probe can
    /// be written.
    pub async fn check_ready(&self) -> Result<()> {
        let engine = &self.engine;
        if engine.is_damaged.load(Ordering::Relaxed) {
            let text = "a page that cannot be read was found since the server started";
            return Err(EngineError::Damaged(text.to_owned()).into());
        }
        if engine.is_failing.load(Ordering::Relaxed) {
            engine.probe().await?;
        } else {
            // Changes nothing, but a writer that is gone or locked out cannot answer it.
            engine.write(Vec::new()).await?;
        }
        self.check_version().await
    }
}
