//! Hints on their way to other servers.

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// What servers tell each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// The journal may have new events.
    Events,
    /// There may be new work in this scope, and the journal may have new events.
    Work(String),
}

/// The hints that were not sent to other servers yet, each once.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    is_relayed: AtomicBool,
    untold: Mutex<BTreeSet<Hint>>,
    has_untold: Notify,
}

impl Outgoing {
    /// Adds a hint, if there is a relay.
    pub(crate) fn add(&self, hint: impl FnOnce() -> Hint) {
        if self.is_relayed.load(Ordering::Relaxed) && self.untold().insert(hint()) {
            self.has_untold.notify_one();
        }
    }

    /// Waits for hints, and takes them. From the first call on they are collected.
    pub(crate) async fn take(&self) -> BTreeSet<Hint> {
        self.is_relayed.store(true, Ordering::Relaxed);
        loop {
            let mut untold = mem::take(&mut *self.untold());
            if untold.len() > 1 {
                // The others say the same.
                untold.remove(&Hint::Events);
            }
            if !untold.is_empty() {
                return untold;
            }
            self.has_untold.notified().await;
        }
    }

    fn untold(&self) -> std::sync::MutexGuard<'_, BTreeSet<Hint>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{Hint, Outgoing};

    #[test]
    fn each_hint_is_sent_once() {
        let outgoing = Outgoing::default();
        let work = |scope: &str| Hint::Work(scope.to_owned());
        outgoing.add(|| work("a"));
        assert!(outgoing.take().now_or_never().is_none(), "nobody relayed it");
        for scope in ["b", "a", "b"] {
            outgoing.add(|| work(scope));
        }
        outgoing.add(|| Hint::Events);
        let told = outgoing.take().now_or_never().unwrap();
        assert_eq!(Vec::from_iter(told), ["a", "b"].map(work));
        outgoing.add(|| Hint::Events);
        let told = outgoing.take().now_or_never().unwrap();
        assert_eq!(Vec::from_iter(told), [Hint::Events]);
        assert!(outgoing.take().now_or_never().is_none());
    }
}
