//! Those who follow logs, and hints that text was appended.
//!
//! A hint may be lost, because text may be appended through another server: who follows a log also
//! looks from time to time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::Store;

/// A run's log: the task and the number of the run.
type Log = (String, i64);

/// The logs that are followed in this process.
#[derive(Debug, Default)]
pub(crate) struct Followers(Mutex<HashMap<Log, watch::Sender<()>>>);

/// A caller that follows a log. It begins before the look that finds nothing, so that nothing falls
/// between the look and the waiting.
#[derive(Debug)]
pub struct Follower {
    followers: Arc<Followers>,
    log: Log,
    receiver: watch::Receiver<()>,
}

impl Followers {
    /// Says that text was appended to a log.
    pub(crate) fn tell(&self, task: &str, run: i64) {
        if let Some(sender) = self.logs().get(&(task.to_owned(), run)) {
            sender.send_replace(());
        }
    }

    /// Wakes all followers.
    pub(crate) fn tell_all(&self) {
        for sender in self.logs().values() {
            sender.send_replace(());
        }
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<Log, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Begins to follow the log of a run.
    pub fn follow_log(&self, task: &str, run: i64) -> Follower {
        let log = (task.to_owned(), run);
        let followers = Arc::clone(&self.followers);
        let receiver = {
            let mut logs = followers.logs();
            logs.entry(log.clone()).or_insert_with(|| watch::Sender::new(())).subscribe()
        };
        Follower { followers, log, receiver }
    }
}

impl Follower {
    /// Waits until something was appended since this was called last, or since the following began.
    pub async fn hinted(&mut self) {
        // The sender is there as long as this follower is.
        self.receiver.changed().await.ok();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut logs = self.followers.logs();
        // This one's receiver is still there.
        if logs.get(&self.log).is_some_and(|sender| sender.receiver_count() <= 1) {
            logs.remove(&self.log);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{FutureExt, future::BoxFuture};

    use crate::{
        Engine, EngineError, Store,
        engine::{Rows, Statement},
    };

    /// A database that is not used.
    struct Unused;

    impl Engine for Unused {
        fn read(&self, _: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
            unreachable!("nothing is read")
        }

        fn write(&self, _: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
            unreachable!("nothing is written")
        }
    }

    #[test]
    fn all_who_follow_a_log_are_told_and_nothing_is_kept_of_them() {
        let store = Store::new(Arc::new(Unused));
        let (mut one, mut two) = (store.follow_log("a", 1), store.follow_log("a", 1));
        let mut other = store.follow_log("a", 2);
        store.followers.tell("a", 1);
        assert!(one.hinted().now_or_never().is_some(), "before it waits");
        assert!(two.hinted().now_or_never().is_some());
        assert!(two.hinted().now_or_never().is_none(), "one hint is one hint");
        assert!(other.hinted().now_or_never().is_none());
        store.followers.tell_all();
        assert!(other.hinted().now_or_never().is_some());
        drop(one);
        store.followers.tell("a", 1);
        assert!(two.hinted().now_or_never().is_some());
        drop((two, other));
        assert!(store.followers.logs().is_empty());
    }
}
