//! A write: one atomic batch, with everything that belongs to it.
//!
//! Every operation that changes something puts a [`Write`] together and commits it. The statements
//! of the batch mark the rows that they change with the write's number; the events that are
//! recorded follow the mark, so that what was refused leaves no event.

use std::sync::atomic::Ordering;

use octopoid_domain::event::NewEvent;

use crate::{
    EngineError, Result, Stamp, Store, StoreError,
    engine::{Rows, Statement},
    idempotency::Once,
    journal::{self, Subject},
    locks::Lock,
};

/// A write before it is committed.
pub(crate) struct Write {
    pub(crate) stamp: Stamp,
    /// The request, if it is carried out once.
    pub(crate) once: Option<Once>,
    locks: Vec<Lock>,
    statements: Vec<Statement>,
    /// The scopes where there may be work after it, if a statement has changed something.
    wakes: Vec<(Answer, String)>,
    /// Whether it records events, as far as it is known before it runs.
    records: bool,
}

/// The place of a statement's answer among those of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer(usize);

/// The rows that the statements of a write returned.
pub(crate) struct Answers(Vec<Rows>);

impl Write {
    /// A write that does nothing yet.
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self::once(stamp, None)
    }

    /// A write that does nothing yet, for a request that is carried out once.
    pub(crate) fn once(stamp: Stamp, once: Option<Once>) -> Self {
        let locks = once.iter().map(Lock::request).collect();
        let (statements, wakes) = (Vec::new(), Vec::new());
        Self { stamp, once, locks, statements, wakes, records: false }
    }

    /// Holds a name until the write has ended.
    pub(crate) fn hold(&mut self, lock: Lock) {
        self.locks.push(lock);
    }

    /// Holds names until the write has ended.
    pub(crate) fn hold_all(&mut self, locks: impl IntoIterator<Item = Lock>) {
        self.locks.extend(locks);
    }

    /// Adds a statement.
    pub(crate) fn run(&mut self, statement: Statement) -> Answer {
        self.statements.push(statement);
        Answer(self.statements.len() - 1)
    }

    /// Adds statements whose results are not read.
    pub(crate) fn run_all(&mut self, statements: impl IntoIterator<Item = Statement>) {
        self.statements.extend(statements);
    }

    /// Records an event of a subject, if this write has changed it by now.
    pub(crate) fn record(&mut self, subject: Subject<'_>, event: &NewEvent) {
        self.records = true;
        self.statements.push(journal::recording(subject, event, self.stamp));
    }

    /// Tells those who wait for work in a scope, once the write is durable, if the statement with
    /// this answer returned rows.
    pub(crate) fn wake_if(&mut self, answer: Answer, scope: &str) {
        self.wakes.push((answer, scope.to_owned()));
    }
}

impl Answers {
    /// The rows of a statement.
    pub(crate) fn take(&mut self, answer: Answer) -> Rows {
        self.0.get_mut(answer.0).map(std::mem::take).unwrap_or_default()
    }

    /// Whether any statement returned a row.
    fn has_rows(&self) -> bool {
        self.0.iter().any(|rows| !rows.is_empty())
    }

    /// Whether a statement returned nothing, as one does whose condition did not hold.
    pub(crate) fn is_empty(&self, answer: Answer) -> bool {
        self.0.get(answer.0).is_none_or(Vec::is_empty)
    }
}

/// Notes that the outcome of a write is unknown: its caller has gone, or the engine cannot tell. It
/// may have recorded events.
struct Unheard<'a>(&'a Store);

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.0.has_unheard.store(true, Ordering::Relaxed);
        self.0.hints.tell_events_here();
    }
}

impl Store {
    /// Waits until the writes have ended whose callers have gone, so that the journal has their
    /// events. An engine that one process has alone runs writes in their order.
    pub async fn end_unheard_writes(&self) -> Result<()> {
        if self.has_unheard.swap(false, Ordering::Relaxed) {
            let ended = self.engine.write_for_health(Vec::new()).await;
            self.has_unheard.fetch_or(ended.is_err(), Ordering::Relaxed);
            ended?;
        }
        Ok(())
    }

    /// Runs a write, and returns when it is durable.
    ///
    /// A request that is carried out once, and was before, fails with what it did then.
    pub(crate) async fn commit(&self, mut write: Write) -> Result<Answers> {
        let recalled = write.once.as_ref().map(Once::recalling);
        let recalled = recalled.map(|statement| write.run(statement));
        let Write { stamp, once, locks, statements, wakes, records } = write;
        let unheard = Unheard(self);
        let written = self.write_holding(locks, statements).await;
        if !matches!(written, Err(StoreError::Engine(EngineError::Unconfirmed(_)))) {
            std::mem::forget(unheard);
        }
        let mut answers = Answers(written?);
        if let Some((once, recalled)) = once.zip(recalled) {
            once.check(answers.take(recalled), stamp)?;
        }
        // A claim that finds nothing returns no row, and records nothing.
        if records || answers.has_rows() {
            self.hints.tell_events();
        }
        for (answer, scope) in wakes {
            if !answers.is_empty(answer) {
                self.hints.tell(&scope);
            }
        }
        Ok(answers)
    }
}
