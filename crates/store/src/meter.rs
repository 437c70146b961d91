//! What the operations report of themselves, for a host that keeps metrics.
//!
//! A report is made after the write is durable. It says what happened; the host decides what to
//! count.

use octopoid_domain::{Millis, Task, run};

use crate::Store;

/// Receives the reports of a store. Every method does nothing unless a host implements it. They are
/// called on the path of requests, so they must not block.
pub trait Meter: Send + Sync + 'static {
    /// A task was created.
    fn created(&self, _task: &Task) {}

    /// A claim has ended: one report for each request, however long it waited.
    fn claim_ended(&self, _outcome: ClaimOutcome) {}

    /// A claim gave out a task of this queue.
    fn claimed(&self, _task: &Task, _source: &str, _kind: run::Kind) {}

    /// A step, or a lapsed lease, changed a task.
    fn changed(&self, _step: &Moved<'_>) {}

    /// A request was refused, because its lease token is not current.
    fn lease_refused(&self) {}
}

/// How a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimOutcome {
    /// It got a task.
    Granted,
    /// There was none.
    Empty,
    /// A pause or a drain covers what it asks for.
    Throttled,
}

/// A change of a task.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// The task before.
    pub was: &'a Task,
    /// The task after.
    pub is: &'a Task,
    /// The run that it ended, if it ended one.
    pub ended: Option<EndedRun<'a>>,
    /// When.
    pub at: Millis,
}

/// A run that has ended.
#[derive(Clone, Copy, Debug)]
pub struct EndedRun<'a> {
    /// How.
    pub outcome: run::Outcome,
    /// The reason of a failure.
    pub reason: Option<&'a str>,
    /// What it was for.
    pub kind: run::Kind,
    /// What it has used, as it is stored.
    pub usage: Option<&'a str>,
    /// When it began.
    pub started_at: Millis,
}

/// A meter that counts nothing.
pub(crate) struct Unmetered;

impl Meter for Unmetered {}

impl Store {
    /// The store with a meter of its own. Clones that exist keep theirs.
    #[must_use]
    pub fn with_meter(mut self, meter: std::sync::Arc<dyn Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// Receives the reports.
    pub fn meter(&self) -> &dyn Meter {
        &*self.meter
    }
}
