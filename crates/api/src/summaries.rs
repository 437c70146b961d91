//! Summaries that are computed once for several requests.
//!
//! A request that comes while a summary of its scope is computed waits for it and shares the next
//! one with all others that wait. That one begins after the request came, so it has every write
//! that was answered before. A request that accepts an older summary may get one that was computed
//! before it came.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use octopoid_domain::summary::Summary;
use octopoid_store::StoreError;

use crate::app::App;

/// The number of scopes whose last summary is kept.
const SCOPES_MAX: usize = 1_000;

/// The last summary of each scope.
#[derive(Default)]
pub(crate) struct Summaries {
    scopes: Mutex<HashMap<String, Arc<Last>>>,
    /// Counts requests and computations, in the order in which they begin.
    turns: AtomicU64,
}

/// The last summary of a scope. It is locked while the next one is computed.
type Last = tokio::sync::Mutex<Option<Computed>>;

type Answer = Result<Summary, StoreError>;

struct Computed {
    /// The turn in which the computation began.
    turn: u64,
    /// When that was, by the monotonic clock.
    began_ms: i64,
    answer: Answer,
}

impl Computed {
    /// Whether it answers a request that came in this turn, and takes what began after this time.
    /// A failure is shared by those who have waited for it, and is not kept.
    fn answers(&self, turn: u64, after_ms: i64) -> bool {
        self.turn > turn || (self.began_ms > after_ms && self.answer.is_ok())
    }
}

impl Summaries {
    /// A summary whose computation began after this call, or less than `age_ms` before it.
    pub(crate) async fn get(&self, app: &App, scope: &str, age_ms: i64) -> Answer {
        // On a host that cannot wait, no request may wait for what another one reads.
        if app.pause(0).is_none() {
            return app.store.summary(scope, app.now()).await;
        }
        let (turn, after_ms) = (self.next_turn(), app.elapsed_ms().saturating_sub(age_ms));
        let last = self.last(scope);
        let mut last = last.lock().await;
        if let Some(computed) = last.as_ref().filter(|last| last.answers(turn, after_ms)) {
            return computed.answer.clone();
        }
        let (turn, began_ms) = (self.next_turn(), app.elapsed_ms());
        let answer = app.store.summary(scope, app.now()).await;
        *last = Some(Computed { turn, began_ms, answer: answer.clone() });
        answer
    }

    fn next_turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    fn last(&self, scope: &str) -> Arc<Last> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if scopes.len() >= SCOPES_MAX && !scopes.contains_key(scope) {
            scopes.retain(|_, last| Arc::strong_count(last) > 1);
        }
        Arc::clone(scopes.entry(scope.to_owned()).or_default())
    }
}
