//! Hints that there may be something new to claim.
//!
//! A hint costs nothing to lose: whoever waits for one also looks from time to time. Within a
//! process they come at once; between servers on one database they are relayed by whoever can
//! (see [`Hints::outgoing`]).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, watch};

/// Who waits for work in which scope, and what other servers have not been told.
#[derive(Debug, Default)]
pub struct Hints {
    waiting: Mutex<HashMap<String, watch::Sender<()>>>,
    is_relayed: AtomicBool,
    untold: Mutex<BTreeSet<String>>,
    has_untold: Notify,
}

/// Somebody's interest in a scope. It begins before the look that finds nothing, so that nothing
/// falls between the look and the waiting.
#[derive(Debug)]
pub struct Watch(watch::Receiver<()>);

impl Hints {
    /// Begins to wait for hints about a scope.
    pub fn watch(&self, scope: &str) -> Watch {
        let mut waiting = locked(&self.waiting);
        waiting.retain(|_, sender| sender.receiver_count() > 0);
        let sender = waiting.entry(scope.to_owned()).or_insert_with(|| watch::channel(()).0);
        Watch(sender.subscribe())
    }

    /// Tells everybody that there may be something new in a scope.
    pub(crate) fn tell(&self, scope: &str) {
        self.tell_here(scope);
        if self.is_relayed.load(Ordering::Relaxed) && locked(&self.untold).insert(scope.to_owned())
        {
            self.has_untold.notify_one();
        }
    }

    /// Tells those who wait in this process.
    pub fn tell_here(&self, scope: &str) {
        if let Some(sender) = locked(&self.waiting).get(scope) {
            sender.send_replace(());
        }
    }

    /// Tells those who wait in this process to look, whatever they wait for.
    pub fn tell_all_here(&self) {
        for sender in locked(&self.waiting).values() {
            sender.send_replace(());
        }
    }

    /// Waits for scopes that other servers should hear of, and takes them. Once somebody has asked,
    /// they are gathered, each once.
    pub async fn outgoing(&self) -> BTreeSet<String> {
        self.is_relayed.store(true, Ordering::Relaxed);
        loop {
            let untold = std::mem::take(&mut *locked(&self.untold));
            if !untold.is_empty() {
                return untold;
            }
            self.has_untold.notified().await;
        }
    }
}

impl Watch {
    /// Waits for the next hint.
    pub async fn hinted(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could give one.
            std::future::pending::<()>().await;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::Hints;

    #[test]
    fn a_hint_between_the_look_and_the_waiting_is_not_missed() {
        let hints = Hints::default();
        let (mut ours, mut others) = (hints.watch("s"), hints.watch("t"));
        hints.tell("s");
        assert!(ours.hinted().now_or_never().is_some());
        assert!(ours.hinted().now_or_never().is_none(), "one hint is one hint");
        assert!(others.hinted().now_or_never().is_none(), "another scope's hint");
        hints.tell_all_here();
        assert!(others.hinted().now_or_never().is_some());
    }

    #[test]
    fn nothing_is_kept_for_scopes_in_which_nobody_waits() {
        let hints = Hints::default();
        for scope in ["a", "b"] {
            drop(hints.watch(scope));
            hints.tell(scope);
        }
        let _watch = hints.watch("c");
        assert_eq!(hints.waiting.lock().unwrap().len(), 1);
        assert!(hints.untold.lock().unwrap().is_empty(), "nobody relays them");
    }

    #[test]
    fn other_servers_hear_of_a_scope_once() {
        let hints = Hints::default();
        assert!(hints.outgoing().now_or_never().is_none());
        for scope in ["b", "a", "b"] {
            hints.tell(scope);
        }
        let told = hints.outgoing().now_or_never().unwrap();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        hints.tell_here("a");
        assert!(hints.outgoing().now_or_never().is_none(), "what came from others stays here");
    }
}
