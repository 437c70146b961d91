//! An engine that notes batches which Cloudflare's free plan would refuse, and the local runtime
//! does not.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, SharedEngine, Statement},
};

/// The most statements that an invocation may run, and so the most that a batch may have.
const STATEMENTS_MAX: usize = 50;

/// Passes everything on, and keeps the complaints.
pub(crate) struct Guard {
    inner: SharedEngine,
    complaints: Mutex<Vec<String>>,
}

impl Guard {
    pub(crate) fn of(inner: SharedEngine) -> Self {
        Self { inner, complaints: Mutex::default() }
    }

    /// The engine that everything is passed on to.
    pub(crate) fn inner(&self) -> SharedEngine {
        SharedEngine::clone(&self.inner)
    }

    /// Whether every batch would have run on the free plan.
    pub(crate) fn verdict(&self) -> Result<String, String> {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.is_empty() { Ok("ok".to_owned()) } else { Err(complaints.join("\n")) }
    }

    fn look_at(&self, batch: &[Statement]) {
        // What is for other databases only is not run.
        let texts: Vec<_> = batch.iter().filter_map(|statement| statement.sql.sqlite()).collect();
        if texts.len() > STATEMENTS_MAX {
            let complaint = format!(
                "a batch has {} statements, an invocation at most {STATEMENTS_MAX}; the first: {}",
                texts.len(),
                texts[0]
            );
            self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(complaint);
        }
    }
}

impl Engine for Guard {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.look_at(&batch);
        self.inner.read(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.look_at(&batch);
        self.inner.write(batch)
    }
}
