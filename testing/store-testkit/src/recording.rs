//! An engine that notes the statements that pass through it.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, SharedEngine, Statement},
};

/// A batch that was run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Whether it could change anything.
    pub is_write: bool,
    /// Whether it was a read by key.
    pub is_by_key: bool,
    /// Its statements.
    pub batch: Vec<Statement>,
}

/// An engine that passes everything on and remembers it.
pub struct Recording {
    inner: SharedEngine,
    runs: Mutex<Vec<Run>>,
}

impl Recording {
    /// Records what goes to this engine.
    pub fn of(inner: SharedEngine) -> Self {
        Self { inner, runs: Mutex::new(Vec::new()) }
    }

    /// The engine that everything is passed on to.
    pub fn inner(&self) -> SharedEngine {
        SharedEngine::clone(&self.inner)
    }

    /// The batches since the last call.
    pub fn take(&self) -> Vec<Run> {
        std::mem::take(&mut *self.runs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, is_write: bool, is_by_key: bool, batch: &[Statement]) {
        let batch = batch.to_vec();
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.push(Run { is_write, is_by_key, batch });
    }
}

impl Engine for Recording {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.note(false, false, &batch);
        self.inner.read(batch)
    }

    fn read_by_key(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.note(false, true, &batch);
        self.inner.read_by_key(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.note(true, false, &batch);
        self.inner.write(batch)
    }

    fn write_for_health(
        &self,
        batch: Vec<Statement>,
    ) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.note(true, false, &batch);
        self.inner.write_for_health(batch)
    }

    fn read_for_health(
        &self,
        batch: Vec<Statement>,
    ) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.note(false, false, &batch);
        self.inner.read_for_health(batch)
    }

    fn readers(&self) -> usize {
        self.inner.readers()
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }

    fn stop_reads(&self) {
        self.inner.stop_reads();
    }
}
